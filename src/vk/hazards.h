/* Finds out when a dispatch must wait for earlier ones: which byte ranges of which buffers have been read and written since the last
 * barrier. Knows no Vulkan. */
#ifndef BR_VK_HAZARDS_H
#define BR_VK_HAZARDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct br_vk_hazard_buffer br_vk_hazard_buffer;

typedef struct br_vk_hazards {
    br_vk_hazard_buffer *buffers; /* owned; open-addressing hash table */
    size_t count, capacity;
    uint32_t epoch; /* counts barriers; ranges of an older epoch are void */
} br_vk_hazards;

typedef struct br_vk_touch {
    const void *buffer; /* the identity; buffers do not overlap each other */
    uint64_t offset, size;
    bool read, write;
} br_vk_touch;

/* {0} is an empty record too. */
void br_vk_hazards_finish(br_vk_hazards *hazards);
/* True when the access must come after one that is on record: read after write, write after read, write after write. */
bool br_vk_hazards_conflict(const br_vk_hazards *hazards, const br_vk_touch *touch);
/* Puts the access on record; false when the host is out of memory. */
bool br_vk_hazards_add(br_vk_hazards *hazards, const br_vk_touch *touch);
/* A barrier orders everything: the record is empty again. Keeps the storage. */
void br_vk_hazards_barrier(br_vk_hazards *hazards);

#endif
