#include "vk/buffer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vk/buffer_handle.h"
#include "vk/handles.h"
#include "vk/staging.h"

/* Shaders load 16 bytes at a time; the last load of an odd-sized buffer stays inside. */
#define SIZE_ALIGNMENT 16

/* Only coherent memory is used, so nothing is ever flushed or invalidated: every device has such a type, and what the host reads or writes
 * outside of weights (step buffers, latents, a picture) is small. */
static void wanted_flags(const br_vk_device *device, br_vk_buffer_kind kind, br_vk_memory_request *request)
{
    const VkMemoryPropertyFlags local = VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT, coherent = VK_MEMORY_PROPERTY_HOST_COHERENT_BIT,
                                visible = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT, cached = VK_MEMORY_PROPERTY_HOST_CACHED_BIT;
    int n = 0;
    switch (kind) {
    case BR_VK_BUFFER_DEVICE:
        if (device->host_access != BR_VK_HOST_NONE)
            request->wanted[n++] = local | visible | coherent;
        request->wanted[n++] = local;
        request->wanted[n++] = 0; /* the driver may page: slow, but it draws */
        break;
    case BR_VK_BUFFER_UPLOAD:
        request->wanted[n++] = visible | coherent;
        break;
    case BR_VK_BUFFER_READBACK:
        request->wanted[n++] = visible | coherent | cached;
        request->wanted[n++] = visible | coherent;
        break;
    }
    request->wanted_count = n;
}

br_status br_vk_device_spare(br_vk_device *device)
{
    bool staged = device->staging != NULL;
    BR_TRY(br_vk_upload_flush(device));
    br_vk_staging_destroy(device); /* it lies in large blocks */
    br_vk_memory_spare(device);
    device->counters->memory_peak_bytes = device->counters->memory_bytes;
    return staged ? br_vk_staging_ensure(device) : NULL;
}

uint64_t br_vk_spare_bytes(const br_vk_caps *caps)
{
    return BR_VK_MEMORY_SPARE_BYTES + (caps->unified_memory ? 0 : BR_VK_STAGING_BYTES);
}

br_status br_vk_buffer_create(br_vk_device *device, br_vk_buffer_kind kind, uint64_t size, const char *name,
                              br_vk_buffer **out_buffer)
{
    br_status status = NULL;
    *out_buffer = NULL;
    if (size == 0)
        return br_fail(BR_ERROR_ARGUMENT, "buffer %s: size 0", name);
    if (size > device->caps.max_buffer_size)
        return br_fail(BR_ERROR_OUT_OF_DEVICE_MEMORY,
                       "buffer %s: %" PRIu64 " bytes asked, a buffer of this device has at most %" PRIu64 " (%" PRIu64
                       " bytes in use)",
                       name, size, device->caps.max_buffer_size, device->counters->memory_bytes);
    br_vk_buffer *buffer = calloc(1, sizeof *buffer);
    if (!buffer)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory");
    buffer->device = device;
    buffer->size = size;
    snprintf(buffer->name, sizeof buffer->name, "%s", name);
    uint64_t capacity = (size + SIZE_ALIGNMENT - 1) / SIZE_ALIGNMENT * SIZE_ALIGNMENT;
    VkBufferCreateInfo info = {
        VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
        .size = capacity <= device->caps.max_buffer_size ? capacity : size,
        .usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT,
    };
    br_vk_memory_request request = {0};
    BR_TRY_GOTO(BR_VK(device->fn.vkCreateBuffer(device->handle, &info, NULL, &buffer->handle)));
    device->fn.vkGetBufferMemoryRequirements(device->handle, buffer->handle, &request.requirements);
    wanted_flags(device, kind, &request);
    BR_TRY_GOTO(br_vk_memory_alloc(device, &request, &buffer->slice));
    BR_TRY_GOTO(BR_VK(device->fn.vkBindBufferMemory(device->handle, buffer->handle, buffer->slice.memory, buffer->slice.offset)));
    if (kind != BR_VK_BUFFER_DEVICE || device->host_access == BR_VK_HOST_SHARES)
        buffer->mapped = buffer->slice.mapped;
    if (kind != BR_VK_BUFFER_DEVICE || device->host_access != BR_VK_HOST_NONE)
        buffer->writable = buffer->slice.mapped;
    if (kind == BR_VK_BUFFER_DEVICE &&
        !(device->physical->memory.memoryTypes[buffer->slice.type].propertyFlags & VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT))
        br_log_printf(device->instance->log, BR_LOG_WARNING,
                      "device memory is full: %s (%" PRIu64 " bytes) lies in the host's, which is slow", name, size);
    br_vk_device_set_name(device, VK_OBJECT_TYPE_BUFFER, (uint64_t)buffer->handle, buffer->name);
    device->counters->buffers++;
    *out_buffer = buffer;
    return NULL;
fail:
    br_vk_buffer_destroy(buffer);
    return br_status_prefix(status, "buffer %s of %" PRIu64 " bytes", name, size);
}

void br_vk_buffer_destroy(br_vk_buffer *buffer)
{
    if (!buffer)
        return;
    br_vk_device *device = buffer->device;
    if (device->staging && !device->lost)
        br_status_free(br_vk_upload_flush(device)); /* copies into it may still be staged */
    if (buffer->handle)
        device->fn.vkDestroyBuffer(device->handle, buffer->handle, NULL);
    br_vk_memory_free(device, &buffer->slice);
    free(buffer);
}

uint64_t br_vk_buffer_size(const br_vk_buffer *buffer)
{
    return buffer->size;
}

void *br_vk_buffer_mapped(const br_vk_buffer *buffer)
{
    return buffer->mapped;
}

static br_status check_range(const br_vk_buffer *buffer, uint64_t offset, uint64_t size)
{
    if (offset > buffer->size || size > buffer->size - offset)
        return br_fail(BR_ERROR_ARGUMENT, "buffer %s: bytes %" PRIu64 " + %" PRIu64 " are outside of its %" PRIu64, buffer->name,
                       offset, size, buffer->size);
    return NULL;
}

br_status br_vk_upload_fill(br_vk_device *device, const br_vk_upload_params *params)
{
    br_vk_buffer *buffer = params->buffer;
    BR_TRY(check_range(buffer, params->offset, params->size));
    if (params->size == 0)
        return NULL;
    if (buffer->writable)
        return params->fill(params->user, (char *)buffer->writable + params->offset, 0, params->size);
    BR_TRY(br_vk_staging_ensure(device));
    return br_vk_staging_upload(device, params);
}

static br_status fill_from_memory(void *user, void *dst, uint64_t at, uint64_t size)
{
    memcpy(dst, (const char *)user + at, size);
    return NULL;
}

br_status br_vk_upload(br_vk_device *device, br_vk_buffer *buffer, uint64_t offset, uint64_t size, const void *data)
{
    br_vk_upload_params params = {
        .buffer = buffer,
        .offset = offset,
        .size = size,
        .fill = fill_from_memory,
        .user = (void *)(uintptr_t)data, /* read only: fill_from_memory casts it back */
    };
    return br_vk_upload_fill(device, &params);
}

br_status br_vk_upload_flush(br_vk_device *device)
{
    if (!device->staging)
        return NULL;
    BR_TRY(br_vk_staging_submit(device));
    return br_vk_staging_wait(device);
}

br_status br_vk_download(br_vk_device *device, br_vk_buffer *buffer, uint64_t offset, uint64_t size, void *out_data)
{
    BR_TRY(check_range(buffer, offset, size));
    if (size == 0)
        return NULL;
    if (!buffer->mapped) {
        BR_TRY(br_vk_staging_ensure(device));
        return br_vk_staging_download(device, buffer, offset, size, out_data);
    }
    BR_TRY(br_vk_upload_flush(device)); /* recordings have run when br_vk_recording_run returns; copies may be under way */
    memcpy(out_data, (const char *)buffer->mapped + offset, size);
    return NULL;
}
