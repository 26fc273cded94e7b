#include "vk/staging.h"

#include <stdlib.h>
#include <string.h>

#include "vk/buffer_handle.h"
#include "vk/handles.h"
#include "vk/ranges.h"

/* What `fill` may rely on: chunks are multiples of it. */
#define CHUNK_ALIGNMENT 64

typedef enum chunk_state { CHUNK_IDLE, CHUNK_RECORDING, CHUNK_SUBMITTED } chunk_state;

typedef struct chunk {
    br_vk_buffer *buffer; /* owned; UPLOAD for the ring, READBACK for the one that downloads */
    VkCommandBuffer commands;
    VkFence fence; /* owned */
    chunk_state state;
    uint64_t used;        /* bytes */
    br_vk_ranges written; /* where the copies since the last barrier went to */
} chunk;

struct br_vk_staging {
    VkCommandPool pool; /* owned */
    chunk ring[BR_VK_STAGING_CHUNKS];
    int current;
    chunk readback;
};

static br_status chunk_init(br_vk_device *device, chunk *c, br_vk_buffer_kind kind, const char *name)
{
    br_vk_staging *staging = device->staging;
    BR_TRY(br_vk_buffer_create(device, kind, BR_VK_STAGING_CHUNK_BYTES, name, &c->buffer));
    VkCommandBufferAllocateInfo info = {VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO, .commandPool = staging->pool,
                                        .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY, .commandBufferCount = 1};
    BR_TRY(BR_VK(device->fn.vkAllocateCommandBuffers(device->handle, &info, &c->commands)));
    VkFenceCreateInfo fence = {VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};
    return BR_VK(device->fn.vkCreateFence(device->handle, &fence, NULL, &c->fence));
}

static void chunk_finish(br_vk_device *device, chunk *c)
{
    if (c->fence)
        device->fn.vkDestroyFence(device->handle, c->fence, NULL);
    br_vk_ranges_finish(&c->written);
    br_vk_buffer_destroy(c->buffer);
}

br_status br_vk_staging_ensure(br_vk_device *device)
{
    br_status status = NULL;
    if (device->staging)
        return NULL;
    device->staging = calloc(1, sizeof *device->staging);
    if (!device->staging)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory");
    br_vk_staging *staging = device->staging;
    VkCommandPoolCreateInfo info = {VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
                                    .flags = VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT,
                                    .queueFamilyIndex = device->queue_family};
    BR_TRY_GOTO(BR_VK(device->fn.vkCreateCommandPool(device->handle, &info, NULL, &staging->pool)));
    for (int i = 0; i < BR_VK_STAGING_CHUNKS; i++)
        BR_TRY_GOTO(chunk_init(device, &staging->ring[i], BR_VK_BUFFER_UPLOAD, "staging"));
    BR_TRY_GOTO(chunk_init(device, &staging->readback, BR_VK_BUFFER_READBACK, "readback"));
    return NULL;
fail:
    br_vk_staging_destroy(device);
    return status;
}

void br_vk_staging_destroy(br_vk_device *device)
{
    br_vk_staging *staging = device->staging;
    if (!staging)
        return;
    device->staging = NULL; /* destroying a chunk's buffer must not flush */
    for (int i = 0; i < BR_VK_STAGING_CHUNKS; i++)
        chunk_finish(device, &staging->ring[i]);
    chunk_finish(device, &staging->readback);
    if (staging->pool)
        device->fn.vkDestroyCommandPool(device->handle, staging->pool, NULL);
    free(staging);
}

static br_status chunk_wait(br_vk_device *device, chunk *c)
{
    if (c->state != CHUNK_SUBMITTED)
        return NULL;
    br_vk_wait_params wait = {.fence = c->fence, .what = "an upload"};
    BR_TRY(br_vk_device_wait(device, &wait));
    BR_TRY(BR_VK(device->fn.vkResetFences(device->handle, 1, &c->fence)));
    c->state = CHUNK_IDLE;
    c->used = 0;
    return NULL;
}

static void barrier(br_vk_device *device, VkCommandBuffer commands, const VkMemoryBarrier *memory, VkPipelineStageFlags src,
                    VkPipelineStageFlags dst)
{
    device->fn.vkCmdPipelineBarrier(commands, src, dst, 0, 1, memory, 0, NULL, 0, NULL);
}

/* After everything that was submitted earlier. */
static br_status chunk_begin(br_vk_device *device, chunk *c)
{
    VkCommandBufferBeginInfo info = {VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
                                     .flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT};
    BR_TRY(BR_VK(device->fn.vkBeginCommandBuffer(c->commands, &info)));
    VkMemoryBarrier memory = {
        VK_STRUCTURE_TYPE_MEMORY_BARRIER,
        .srcAccessMask = VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_WRITE_BIT,
        .dstAccessMask = VK_ACCESS_TRANSFER_READ_BIT | VK_ACCESS_TRANSFER_WRITE_BIT,
    };
    barrier(device, c->commands, &memory, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT,
            VK_PIPELINE_STAGE_TRANSFER_BIT);
    c->state = CHUNK_RECORDING;
    c->used = 0;
    br_vk_ranges_clear(&c->written);
    return NULL;
}

static br_status chunk_submit(br_vk_device *device, chunk *c)
{
    if (c->state != CHUNK_RECORDING)
        return NULL;
    c->state = CHUNK_IDLE; /* should anything fail, what was recorded is given up */
    BR_TRY(BR_VK(device->fn.vkEndCommandBuffer(c->commands)));
    BR_TRY(br_vk_device_submit(device, device->queue, c->commands, c->fence));
    c->state = CHUNK_SUBMITTED;
    return NULL;
}

/* Two copies to the same bytes in one chunk must not overtake each other. Offsets alone are compared: a barrier too many between copies into
 * different buffers costs next to nothing. */
static br_status order_copies(br_vk_device *device, chunk *c, uint64_t begin, uint64_t end)
{
    if (br_vk_ranges_overlap(&c->written, begin, end)) {
        VkMemoryBarrier memory = {VK_STRUCTURE_TYPE_MEMORY_BARRIER, .srcAccessMask = VK_ACCESS_TRANSFER_WRITE_BIT,
                                  .dstAccessMask = VK_ACCESS_TRANSFER_WRITE_BIT};
        barrier(device, c->commands, &memory, VK_PIPELINE_STAGE_TRANSFER_BIT, VK_PIPELINE_STAGE_TRANSFER_BIT);
        br_vk_ranges_clear(&c->written);
    }
    if (!br_vk_ranges_add(&c->written, begin, end))
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory");
    return NULL;
}

/* The chunk that has room, waiting for one if need be. */
static br_status chunk_acquire(br_vk_device *device, chunk **out_chunk)
{
    br_vk_staging *staging = device->staging;
    chunk *c = &staging->ring[staging->current];
    if (c->state == CHUNK_RECORDING && c->used == BR_VK_STAGING_CHUNK_BYTES)
        BR_TRY(chunk_submit(device, c));
    if (c->state == CHUNK_SUBMITTED) {
        staging->current = (staging->current + 1) % BR_VK_STAGING_CHUNKS;
        c = &staging->ring[staging->current];
        BR_TRY(chunk_wait(device, c));
    }
    if (c->state == CHUNK_IDLE)
        BR_TRY(chunk_begin(device, c));
    *out_chunk = c;
    return NULL;
}

br_status br_vk_staging_upload(br_vk_device *device, const br_vk_upload_params *params)
{
    for (uint64_t at = 0; at < params->size;) {
        chunk *c = NULL;
        BR_TRY(chunk_acquire(device, &c));
        uint64_t room = BR_VK_STAGING_CHUNK_BYTES - c->used, left = params->size - at, size = left < room ? left : room;
        BR_TRY(params->fill(params->user, (char *)c->buffer->mapped + c->used, at, size));
        BR_TRY(order_copies(device, c, params->offset + at, params->offset + at + size));
        VkBufferCopy copy = {.srcOffset = c->used, .dstOffset = params->offset + at, .size = size};
        device->fn.vkCmdCopyBuffer(c->commands, c->buffer->handle, params->buffer->handle, 1, &copy);
        device->counters->recorded_commands++;
        c->used += (size + CHUNK_ALIGNMENT - 1) / CHUNK_ALIGNMENT * CHUNK_ALIGNMENT;
        at += size;
    }
    return NULL;
}

br_status br_vk_staging_submit(br_vk_device *device)
{
    br_vk_staging *staging = device->staging;
    return staging ? chunk_submit(device, &staging->ring[staging->current]) : NULL;
}

br_status br_vk_staging_wait(br_vk_device *device)
{
    br_vk_staging *staging = device->staging;
    for (int i = 0; staging && i < BR_VK_STAGING_CHUNKS; i++)
        BR_TRY(chunk_wait(device, &staging->ring[i]));
    return NULL;
}

br_status br_vk_staging_download(br_vk_device *device, br_vk_buffer *buffer, uint64_t offset, uint64_t size, void *out_data)
{
    chunk *c = &device->staging->readback;
    BR_TRY(br_vk_upload_flush(device));
    for (uint64_t at = 0; at < size;) {
        uint64_t part = size - at < BR_VK_STAGING_CHUNK_BYTES ? size - at : BR_VK_STAGING_CHUNK_BYTES;
        BR_TRY(chunk_begin(device, c));
        VkBufferCopy copy = {.srcOffset = offset + at, .size = part};
        device->fn.vkCmdCopyBuffer(c->commands, buffer->handle, c->buffer->handle, 1, &copy);
        VkMemoryBarrier memory = {VK_STRUCTURE_TYPE_MEMORY_BARRIER, .srcAccessMask = VK_ACCESS_TRANSFER_WRITE_BIT,
                                  .dstAccessMask = VK_ACCESS_HOST_READ_BIT};
        barrier(device, c->commands, &memory, VK_PIPELINE_STAGE_TRANSFER_BIT, VK_PIPELINE_STAGE_HOST_BIT);
        device->counters->recorded_commands++;
        BR_TRY(chunk_submit(device, c));
        BR_TRY(chunk_wait(device, c));
        memcpy((char *)out_data + at, c->buffer->mapped, part);
        at += part;
    }
    return NULL;
}
