#include "vk/ranges.h"

#include <stdlib.h>
#include <string.h>

void br_vk_ranges_finish(br_vk_ranges *ranges)
{
    free(ranges->items);
    *ranges = (br_vk_ranges){0};
}

void br_vk_ranges_clear(br_vk_ranges *ranges)
{
    ranges->count = 0;
}

bool br_vk_ranges_reserve(br_vk_ranges *ranges, size_t count)
{
    if (count <= ranges->capacity)
        return true;
    size_t capacity = ranges->capacity ? ranges->capacity * 2 : 8;
    if (capacity < count)
        capacity = count;
    br_vk_range *items = realloc(ranges->items, capacity * sizeof *items);
    if (!items)
        return false;
    ranges->items = items;
    ranges->capacity = capacity;
    return true;
}

/* The first item that ends at `at` or later (or after it, when `touching` is false). */
static size_t lower_bound(const br_vk_ranges *ranges, uint64_t at, bool touching)
{
    size_t low = 0, high = ranges->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        uint64_t end = ranges->items[middle].end;
        if (end < at || (end == at && !touching))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool br_vk_ranges_add(br_vk_ranges *ranges, uint64_t begin, uint64_t end)
{
    if (begin >= end)
        return true;
    size_t first = lower_bound(ranges, begin, true), last = first;
    while (last < ranges->count && ranges->items[last].begin <= end) {
        if (ranges->items[last].begin < begin)
            begin = ranges->items[last].begin;
        if (ranges->items[last].end > end)
            end = ranges->items[last].end;
        last++;
    }
    if (first == last && !br_vk_ranges_reserve(ranges, ranges->count + 1))
        return false;
    memmove(ranges->items + first + 1, ranges->items + last, (ranges->count - last) * sizeof *ranges->items);
    ranges->count = ranges->count - (last - first) + 1;
    ranges->items[first] = (br_vk_range){begin, end};
    return true;
}

bool br_vk_ranges_overlap(const br_vk_ranges *ranges, uint64_t begin, uint64_t end)
{
    if (begin >= end)
        return false;
    size_t first = lower_bound(ranges, begin, false);
    return first < ranges->count && ranges->items[first].begin < end;
}

bool br_vk_ranges_cut(br_vk_ranges *ranges, size_t index, uint64_t begin, uint64_t end)
{
    br_vk_range whole = ranges->items[index];
    if (whole.begin == begin && whole.end == end) {
        ranges->count--;
        memmove(ranges->items + index, ranges->items + index + 1, (ranges->count - index) * sizeof *ranges->items);
    } else if (whole.begin == begin) {
        ranges->items[index].begin = end;
    } else if (whole.end == end) {
        ranges->items[index].end = begin;
    } else {
        if (!br_vk_ranges_reserve(ranges, ranges->count + 1))
            return false;
        memmove(ranges->items + index + 2, ranges->items + index + 1, (ranges->count - index - 1) * sizeof *ranges->items);
        ranges->items[index].end = begin;
        ranges->items[index + 1] = (br_vk_range){end, whole.end};
        ranges->count++;
    }
    return true;
}
