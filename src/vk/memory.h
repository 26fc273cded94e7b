/* Device memory in few large allocations: an arena for each memory type, made of blocks out of which slices are cut. Devices may allow as
 * few as 4,096 allocations, and each one is slow. Not thread-safe. */
#ifndef BR_VK_MEMORY_H
#define BR_VK_MEMORY_H

#include "vk/device.h"

typedef struct br_vk_block br_vk_block;

typedef struct br_vk_memory {
    br_vk_block *arenas[VK_MAX_MEMORY_TYPES]; /* owned; the blocks of each memory type */
    uint32_t allocations;                     /* live vkAllocateMemory allocations */
    bool frugal;                              /* nothing is held that no slice needs, but for the rest of small blocks */
} br_vk_memory;

/* A part of a block. Valid until br_vk_memory_free. */
typedef struct br_vk_slice {
    br_vk_block *block; /* borrowed */
    VkDeviceMemory memory;
    uint64_t offset, size;
    void *mapped; /* where the host sees byte 0 of the slice; NULL when it does not */
    uint32_t type;
} br_vk_slice;

typedef struct br_vk_memory_request {
    VkMemoryRequirements requirements;
    /* Property flags in order of preference; the first one that a memory type has and whose heap has room is taken. */
    VkMemoryPropertyFlags wanted[3];
    int wanted_count;
} br_vk_memory_request;

/* Errors: BR_ERROR_OUT_OF_DEVICE_MEMORY with bytes asked, bytes in use and the heap's size. */
BR_MUST_CHECK br_status br_vk_memory_alloc(br_vk_device *device, const br_vk_memory_request *request, br_vk_slice *out_slice);
/* Takes a zeroed slice. */
void br_vk_memory_free(br_vk_device *device, br_vk_slice *slice);
/* What blocks leave unused after br_vk_memory_spare: part of one for each memory type that buffers lie in, of which there are three at the most, and as much
 * again for gaps between the slices. */
#define BR_VK_MEMORY_SPARE_BYTES (UINT64_C(4) << 20)
/* Blocks that no slice needs go, now and as soon as there are any; new ones are small, and what does not fit well has its own. */
void br_vk_memory_spare(br_vk_device *device);
/* Releases the blocks that are kept for later. All slices must be gone. */
void br_vk_memory_finish(br_vk_device *device);

#endif
