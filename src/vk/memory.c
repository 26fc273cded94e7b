#include "vk/memory.h"

#include <inttypes.h>
#include <stdlib.h>

#include "vk/handles.h"
#include "vk/ranges.h"

#define MIB (UINT64_C(1) << 20)
/* The first block of an arena of device-local memory; each further one is twice as large, up to the maximum. Below it the allocation count
 * grows, above it too much stays unused. */
#define BLOCK_FIRST (64 * MIB)
#define BLOCK_MAX (256 * MIB)
/* Arenas that only hold step buffers, staging and read-backs. */
#define BLOCK_FIRST_HOST (16 * MIB)
/* Of every arena, where memory is short; see BR_VK_MEMORY_SPARE_BYTES. */
#define BLOCK_FRUGAL (1 * MIB)
/* A block never asks for more than this part of its heap, so that small heaps (a 256 MiB BAR window) can still be shared. */
#define BLOCK_HEAP_PART 8
/* At least what the shaders' 16-byte loads and a cache line want, whatever the driver says. */
#define SLICE_ALIGNMENT 64

struct br_vk_block {
    br_vk_block *next; /* owned by the arena */
    VkDeviceMemory memory;
    uint64_t size, used;
    void *mapped; /* NULL when the host does not see it */
    bool dedicated;
    br_vk_ranges free; /* what no slice occupies */
};

static uint64_t align_up(uint64_t value, uint64_t alignment)
{
    return (value + alignment - 1) / alignment * alignment;
}

static void block_destroy(br_vk_device *device, br_vk_block *block)
{
    if (block->memory) {
        device->fn.vkFreeMemory(device->handle, block->memory, NULL); /* unmaps it too */
        device->memory.allocations--;
        device->counters->memory_bytes -= block->size;
    }
    br_vk_ranges_finish(&block->free);
    free(block);
}

static br_status block_create(br_vk_device *device, uint32_t type, uint64_t size, bool dedicated, br_vk_block **out_block)
{
    br_status status = NULL;
    *out_block = NULL;
    if (device->memory.allocations >= device->caps.max_allocations)
        return br_fail(BR_ERROR_OUT_OF_DEVICE_MEMORY, "the device allows %" PRIu32 " allocations and all are in use",
                       device->caps.max_allocations);
    br_vk_block *block = calloc(1, sizeof *block);
    if (!block)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory");
    *block = (br_vk_block){.size = size, .dedicated = dedicated};
    if (!br_vk_ranges_add(&block->free, 0, size))
        BR_FAIL_GOTO(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory");
    VkMemoryAllocateInfo info = {VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO, .allocationSize = size, .memoryTypeIndex = type};
    BR_TRY_GOTO(BR_VK(device->fn.vkAllocateMemory(device->handle, &info, NULL, &block->memory)));
    br_vk_counters *counters = device->counters;
    device->memory.allocations++;
    counters->memory_allocations++;
    counters->memory_bytes += size;
    if (counters->memory_bytes > counters->memory_peak_bytes)
        counters->memory_peak_bytes = counters->memory_bytes;
    /* Not what would have to be flushed. */
    const VkMemoryPropertyFlags mappable = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
    if ((device->physical->memory.memoryTypes[type].propertyFlags & mappable) == mappable)
        BR_TRY_GOTO(BR_VK(device->fn.vkMapMemory(device->handle, block->memory, 0, VK_WHOLE_SIZE, 0, &block->mapped)));
    block->next = device->memory.arenas[type];
    device->memory.arenas[type] = block;
    *out_block = block;
    return NULL;
fail:
    block_destroy(device, block);
    return status;
}

/* The tightest gap of the block that takes the slice; false when none does. */
static bool block_cut(br_vk_block *block, uint64_t size, uint64_t alignment, uint64_t *out_offset)
{
    size_t best = block->free.count;
    uint64_t best_gap = UINT64_MAX;
    for (size_t i = 0; i < block->free.count; i++) {
        br_vk_range range = block->free.items[i];
        uint64_t begin = align_up(range.begin, alignment), gap = range.end - range.begin;
        if (begin < range.end && range.end - begin >= size && gap < best_gap) {
            best = i;
            best_gap = gap;
        }
    }
    if (best == block->free.count)
        return false;
    uint64_t begin = align_up(block->free.items[best].begin, alignment);
    /* Room for the gap that a later free may open: giving memory back must not fail. A block holds at most one gap more than slices. */
    if (!br_vk_ranges_reserve(&block->free, block->free.count + 2) || !br_vk_ranges_cut(&block->free, best, begin, begin + size))
        return false;
    block->used += size;
    *out_offset = begin;
    return true;
}

static uint64_t block_size(const br_vk_device *device, uint32_t type)
{
    if (device->memory.frugal)
        return BLOCK_FRUGAL;
    const VkPhysicalDeviceMemoryProperties *memory = &device->physical->memory;
    bool local = memory->memoryTypes[type].propertyFlags & VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT;
    uint64_t size = local ? BLOCK_FIRST : BLOCK_FIRST_HOST;
    for (const br_vk_block *block = device->memory.arenas[type]; block && size < BLOCK_MAX; block = block->next)
        if (!block->dedicated)
            size *= 2;
    uint64_t heap_part = memory->memoryHeaps[memory->memoryTypes[type].heapIndex].size / BLOCK_HEAP_PART;
    return size < heap_part ? size : align_up(heap_part, SLICE_ALIGNMENT);
}

/* A new block for a slice of `size` bytes: a shared one, smaller ones as long as the device refuses, at last one of exactly that size. */
static br_status grow(br_vk_device *device, uint32_t type, uint64_t size, br_vk_block **out_block)
{
    for (uint64_t shared = block_size(device, type); shared / 2 >= size; shared = align_up(shared / 2, SLICE_ALIGNMENT)) {
        br_status status = block_create(device, type, shared, false, out_block);
        if (br_status_code(status) != BR_ERROR_OUT_OF_DEVICE_MEMORY)
            return status;
        br_status_free(status);
    }
    return block_create(device, type, size, true, out_block);
}

static br_status alloc_of_type(br_vk_device *device, uint32_t type, uint64_t size, uint64_t alignment, br_vk_slice *out_slice)
{
    uint64_t offset = 0;
    br_vk_block *block = device->memory.arenas[type];
    while (block && (block->dedicated || !block_cut(block, size, alignment, &offset)))
        block = block->next;
    if (!block) {
        BR_TRY(grow(device, type, size, &block));
        if (!block_cut(block, size, alignment, &offset))
            return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory");
    }
    *out_slice = (br_vk_slice){
        .block = block,
        .memory = block->memory,
        .offset = offset,
        .size = size,
        .mapped = block->mapped ? (char *)block->mapped + offset : NULL,
        .type = type,
    };
    return NULL;
}

br_status br_vk_memory_alloc(br_vk_device *device, const br_vk_memory_request *request, br_vk_slice *out_slice)
{
    const VkPhysicalDeviceMemoryProperties *memory = &device->physical->memory;
    uint64_t alignment = request->requirements.alignment;
    /* All of these are powers of two. */
    alignment = alignment < SLICE_ALIGNMENT ? SLICE_ALIGNMENT : alignment;
    alignment = alignment < device->caps.storage_alignment ? device->caps.storage_alignment : alignment;
    alignment = alignment < device->caps.atom_size ? device->caps.atom_size : alignment;
    uint64_t size = align_up(request->requirements.size, alignment);
    *out_slice = (br_vk_slice){0};

    uint32_t tried = 0, last = 0;
    for (int w = 0; w < request->wanted_count; w++)
        for (uint32_t type = 0; type < memory->memoryTypeCount; type++) {
            uint32_t bit = UINT32_C(1) << type;
            VkMemoryPropertyFlags flags = memory->memoryTypes[type].propertyFlags;
            if (!(request->requirements.memoryTypeBits & bit) || (tried & bit) ||
                (flags & request->wanted[w]) != request->wanted[w] ||
                (flags & (VK_MEMORY_PROPERTY_PROTECTED_BIT | VK_MEMORY_PROPERTY_LAZILY_ALLOCATED_BIT)))
                continue;
            tried |= bit;
            last = type;
            /* More than the whole heap: not even asked, some drivers overcommit. */
            if (size > memory->memoryHeaps[memory->memoryTypes[type].heapIndex].size)
                continue;
            br_status status = alloc_of_type(device, type, size, alignment, out_slice);
            if (br_status_code(status) != BR_ERROR_OUT_OF_DEVICE_MEMORY)
                return status;
            br_status_free(status);
        }
    return br_fail(BR_ERROR_OUT_OF_DEVICE_MEMORY, "%.1f MiB asked, %.1f MiB in use, the device's heap has %.1f MiB",
                   (double)request->requirements.size / (double)MIB, (double)device->counters->memory_bytes / (double)MIB,
                   (double)memory->memoryHeaps[memory->memoryTypes[last].heapIndex].size / (double)MIB);
}

static void block_remove(br_vk_device *device, uint32_t type, br_vk_block *block)
{
    br_vk_block **link = &device->memory.arenas[type];
    while (*link != block)
        link = &(*link)->next;
    *link = block->next;
    block_destroy(device, block);
}

void br_vk_memory_free(br_vk_device *device, br_vk_slice *slice)
{
    br_vk_block *block = slice->block;
    if (!block)
        return;
    br_vk_ranges_add(&block->free, slice->offset, slice->offset + slice->size); /* room was made when it was cut */
    block->used -= slice->size;
    if (block->used == 0) {
        /* One empty shared block stays, so that creating and destroying a buffer over and over does not allocate. */
        bool other = false;
        for (br_vk_block *b = device->memory.arenas[slice->type]; b; b = b->next)
            other = other || (b != block && !b->dedicated);
        if (block->dedicated || other || device->memory.frugal)
            block_remove(device, slice->type, block);
    }
    *slice = (br_vk_slice){0};
}

void br_vk_memory_spare(br_vk_device *device)
{
    device->memory.frugal = true;
    for (uint32_t type = 0; type < VK_MAX_MEMORY_TYPES; type++)
        for (br_vk_block *block = device->memory.arenas[type], *next; block; block = next) {
            next = block->next;
            if (block->used == 0)
                block_remove(device, type, block);
        }
}

void br_vk_memory_finish(br_vk_device *device)
{
    for (uint32_t type = 0; type < VK_MAX_MEMORY_TYPES; type++)
        while (device->memory.arenas[type])
            block_remove(device, type, device->memory.arenas[type]);
}
