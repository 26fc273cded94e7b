/* A set of byte ranges [begin, end), kept sorted, disjoint and merged where they touch. Serves as the free list of a memory block and as the
 * touched ranges of a buffer. */
#ifndef BR_VK_RANGES_H
#define BR_VK_RANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct br_vk_range {
    uint64_t begin, end;
} br_vk_range;

typedef struct br_vk_ranges {
    br_vk_range *items; /* owned */
    size_t count, capacity;
} br_vk_ranges;

/* {0} is an empty set. */
void br_vk_ranges_finish(br_vk_ranges *ranges);
/* Keeps the storage. */
void br_vk_ranges_clear(br_vk_ranges *ranges);
/* Makes room for `count` ranges in all; false when the host is out of memory. */
bool br_vk_ranges_reserve(br_vk_ranges *ranges, size_t count);
/* The union with [begin, end). False when the host is out of memory; the set is unchanged then. An empty range adds nothing. */
bool br_vk_ranges_add(br_vk_ranges *ranges, uint64_t begin, uint64_t end);
bool br_vk_ranges_overlap(const br_vk_ranges *ranges, uint64_t begin, uint64_t end);
/* Cuts [begin, end) out of item `index`, which contains it. Needs room for one more range: false when the host is out of memory. */
bool br_vk_ranges_cut(br_vk_ranges *ranges, size_t index, uint64_t begin, uint64_t end);

#endif
