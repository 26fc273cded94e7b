#include "vk/hazards.h"

#include <stdlib.h>

#include "vk/ranges.h"

struct br_vk_hazard_buffer {
    const void *key; /* NULL: the slot is free */
    uint32_t epoch;
    br_vk_ranges read, written;
};

static size_t slot_of(const br_vk_hazard_buffer *buffers, size_t capacity, const void *key)
{
    size_t slot = (size_t)(((uint64_t)(uintptr_t)key >> 4) * UINT64_C(0x9e3779b97f4a7c15) >> 32) & (capacity - 1);
    while (buffers[slot].key && buffers[slot].key != key)
        slot = (slot + 1) & (capacity - 1);
    return slot;
}

void br_vk_hazards_finish(br_vk_hazards *hazards)
{
    for (size_t i = 0; i < hazards->capacity; i++) {
        br_vk_ranges_finish(&hazards->buffers[i].read);
        br_vk_ranges_finish(&hazards->buffers[i].written);
    }
    free(hazards->buffers);
    *hazards = (br_vk_hazards){0};
}

bool br_vk_hazards_conflict(const br_vk_hazards *hazards, const br_vk_touch *touch)
{
    if (!hazards->capacity)
        return false;
    const br_vk_hazard_buffer *buffer = &hazards->buffers[slot_of(hazards->buffers, hazards->capacity, touch->buffer)];
    if (!buffer->key || buffer->epoch != hazards->epoch)
        return false;
    uint64_t end = touch->offset + touch->size;
    return br_vk_ranges_overlap(&buffer->written, touch->offset, end) ||
           (touch->write && br_vk_ranges_overlap(&buffer->read, touch->offset, end));
}

/* Keeps the table at most half full. */
static bool reserve(br_vk_hazards *hazards)
{
    if (hazards->count * 2 < hazards->capacity)
        return true;
    size_t capacity = hazards->capacity ? hazards->capacity * 2 : 64;
    br_vk_hazard_buffer *buffers = calloc(capacity, sizeof *buffers);
    if (!buffers)
        return false;
    for (size_t i = 0; i < hazards->capacity; i++)
        if (hazards->buffers[i].key)
            buffers[slot_of(buffers, capacity, hazards->buffers[i].key)] = hazards->buffers[i];
    free(hazards->buffers);
    hazards->buffers = buffers;
    hazards->capacity = capacity;
    return true;
}

bool br_vk_hazards_add(br_vk_hazards *hazards, const br_vk_touch *touch)
{
    if (!reserve(hazards))
        return false;
    br_vk_hazard_buffer *buffer = &hazards->buffers[slot_of(hazards->buffers, hazards->capacity, touch->buffer)];
    if (!buffer->key) {
        buffer->key = touch->buffer;
        hazards->count++;
    }
    if (buffer->epoch != hazards->epoch) {
        buffer->epoch = hazards->epoch;
        br_vk_ranges_clear(&buffer->read);
        br_vk_ranges_clear(&buffer->written);
    }
    uint64_t end = touch->offset + touch->size;
    return (!touch->read || br_vk_ranges_add(&buffer->read, touch->offset, end)) &&
           (!touch->write || br_vk_ranges_add(&buffer->written, touch->offset, end));
}

void br_vk_hazards_barrier(br_vk_hazards *hazards)
{
    hazards->epoch++;
}
