#include "vk/pipeline_cache.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "vk/handles.h"

#define MAGIC UINT32_C(0x43505242) /* "BRPC" */
#define FILE_VERSION 1
#define FILE_MAX (UINT64_C(256) << 20)

/* Before the driver's data, whose own header (VkPipelineCacheHeaderVersionOne) has no checksum and no driver version. */
typedef struct file_header {
    uint32_t magic, version;
    uint32_t vendor_id, device_id, driver_version, reserved;
    uint8_t cache_uuid[16], driver_uuid[16];
    uint64_t payload_size, payload_hash;
} file_header;

static_assert(sizeof(file_header) == 72, "written to disk as it is");

/* FNV-1a, 64 bits. */
static uint64_t hash_bytes(uint64_t hash, const void *data, size_t size)
{
    const uint8_t *bytes = data;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
    return hash;
}

static file_header header_of(const br_vk_caps *caps, const void *payload, size_t size)
{
    file_header header = {
        .magic = MAGIC,
        .version = FILE_VERSION,
        .vendor_id = caps->vendor_id,
        .device_id = caps->device_id,
        .driver_version = caps->driver_version,
        .payload_size = size,
        .payload_hash = hash_bytes(UINT64_C(0xcbf29ce484222325), payload, size),
    };
    memcpy(header.cache_uuid, caps->cache_uuid, sizeof header.cache_uuid);
    memcpy(header.driver_uuid, caps->driver_uuid, sizeof header.driver_uuid);
    return header;
}

static char *path_of(const br_vk_caps *caps, const char *cache_dir)
{
    file_header identity = header_of(caps, NULL, 0);
    char name[32];
    snprintf(name, sizeof name, "%016" PRIx64 ".bin", hash_bytes(UINT64_C(0xcbf29ce484222325), &identity, sizeof identity));
    return br_path_join(cache_dir, name);
}

/* NULL when the file may be used, else what is wrong with it. */
static const char *find_fault(const br_vk_caps *caps, const char *data, size_t size)
{
    file_header found;
    if (size < sizeof found + sizeof(VkPipelineCacheHeaderVersionOne))
        return "it is too short";
    memcpy(&found, data, sizeof found);
    const char *payload = data + sizeof found;
    size_t payload_size = size - sizeof found;
    if (found.magic != MAGIC || found.version != FILE_VERSION)
        return "it has another form";
    if (found.payload_size != payload_size)
        return "its length is wrong";
    file_header expected = header_of(caps, payload, payload_size);
    if (found.payload_hash != expected.payload_hash)
        return "its checksum is wrong";
    if (memcmp(&found, &expected, sizeof found) != 0)
        return "it is from another device or driver";
    VkPipelineCacheHeaderVersionOne driver;
    memcpy(&driver, payload, sizeof driver);
    if (driver.headerSize < sizeof driver || driver.headerVersion != VK_PIPELINE_CACHE_HEADER_VERSION_ONE ||
        driver.vendorID != caps->vendor_id || driver.deviceID != caps->device_id ||
        memcmp(driver.pipelineCacheUUID, caps->cache_uuid, sizeof caps->cache_uuid) != 0)
        return "the driver's header is wrong";
    return NULL;
}

br_status br_vk_pipeline_cache_init(br_vk_device *device, const char *cache_dir, br_vk_pipeline_cache *out_cache)
{
    br_status status = NULL;
    char *data = NULL;
    size_t size = 0;
    VkPipelineCacheCreateInfo info = {VK_STRUCTURE_TYPE_PIPELINE_CACHE_CREATE_INFO};
    *out_cache = (br_vk_pipeline_cache){0};
    if (cache_dir) {
        out_cache->path = path_of(&device->caps, cache_dir);
        if (!out_cache->path)
            return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory");
        if (br_file_exists(out_cache->path)) {
            br_status read = br_file_read(out_cache->path, FILE_MAX, &data, &size);
            const char *fault = read ? br_status_message(read) : find_fault(&device->caps, data, size);
            if (fault) {
                br_log_printf(device->instance->log, BR_LOG_INFO, "pipeline cache %s dropped: %s", out_cache->path, fault);
            } else {
                info.pInitialData = data + sizeof(file_header);
                info.initialDataSize = size - sizeof(file_header);
            }
            br_status_free(read);
        }
    }
    if (info.initialDataSize > 0 &&
        device->fn.vkCreatePipelineCache(device->handle, &info, NULL, &out_cache->handle) == VK_SUCCESS) {
        /* Asked of the driver: SwiftShader's answer is larger than what it was given, and would be so again at every start. */
        BR_TRY_GOTO(BR_VK(device->fn.vkGetPipelineCacheData(device->handle, out_cache->handle, &out_cache->loaded_size, NULL)));
    } else { /* nothing on disk, or the driver does not want it */
        info.initialDataSize = 0;
        info.pInitialData = NULL;
        BR_TRY_GOTO(BR_VK(device->fn.vkCreatePipelineCache(device->handle, &info, NULL, &out_cache->handle)));
    }
fail:
    free(data);
    return status;
}

static br_status save(br_vk_device *device, const br_vk_pipeline_cache *cache)
{
    br_status status = NULL;
    size_t size = 0;
    char *file = NULL;
    BR_TRY_GOTO(BR_VK(device->fn.vkGetPipelineCacheData(device->handle, cache->handle, &size, NULL)));
    if (size <= cache->loaded_size || size > FILE_MAX - sizeof(file_header))
        goto fail; /* nothing new */
    file = malloc(sizeof(file_header) + size);
    if (!file)
        BR_FAIL_GOTO(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory");
    BR_TRY_GOTO(BR_VK(device->fn.vkGetPipelineCacheData(device->handle, cache->handle, &size, file + sizeof(file_header))));
    file_header header = header_of(&device->caps, file + sizeof header, size);
    memcpy(file, &header, sizeof header);
    BR_TRY_GOTO(br_file_write(cache->path, file, sizeof header + size));
fail:
    free(file);
    return status;
}

void br_vk_pipeline_cache_finish(br_vk_device *device, br_vk_pipeline_cache *cache)
{
    if (cache->path && cache->handle && !device->lost) {
        br_status status = save(device, cache);
        if (status)
            br_log_printf(device->instance->log, BR_LOG_WARNING, "pipeline cache not saved: %s", br_status_message(status));
        br_status_free(status);
    }
    if (cache->handle)
        device->fn.vkDestroyPipelineCache(device->handle, cache->handle, NULL);
    free(cache->path);
    *cache = (br_vk_pipeline_cache){0};
}
