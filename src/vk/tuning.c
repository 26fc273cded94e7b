#include "vk/tuning.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "vk/handles.h"

#define MAGIC UINT32_C(0x4e545242) /* "BRTN" */
/* One more whenever candidates or what they are measured with change: what was chosen among others means nothing. */
#define VERSION 3

typedef struct tuning_file {
    uint32_t magic, version;
    uint32_t vendor_id, device_id, driver_version;
    br_vk_tuned tuned;
    uint8_t reserved[4];
    uint8_t cache_uuid[16], driver_uuid[16];
    uint64_t hash; /* of all that is before it */
} tuning_file;

static_assert(sizeof(tuning_file) == 72 && sizeof(br_vk_tuned) == 8, "written to disk as it is");

/* FNV-1a, 64 bits. */
static uint64_t hash_of(const tuning_file *file)
{
    const uint8_t *bytes = (const uint8_t *)file;
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < offsetof(tuning_file, hash); i++)
        hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
    return hash;
}

static tuning_file file_of(const br_vk_caps *caps, const br_vk_tuned *tuned)
{
    tuning_file file = {.magic = MAGIC,
                        .version = VERSION,
                        .vendor_id = caps->vendor_id,
                        .device_id = caps->device_id,
                        .driver_version = caps->driver_version,
                        .tuned = *tuned};
    memcpy(file.cache_uuid, caps->cache_uuid, sizeof file.cache_uuid);
    memcpy(file.driver_uuid, caps->driver_uuid, sizeof file.driver_uuid);
    file.hash = hash_of(&file);
    return file;
}

static bool is_good(const br_vk_caps *caps, const char *data, size_t size, tuning_file *out_file)
{
    if (size != sizeof *out_file)
        return false;
    memcpy(out_file, data, sizeof *out_file);
    const br_vk_tuned *tuned = &out_file->tuned;
    for (int i = 0; i < BR_VK_TUNED_SHAPES; i++)
        if (tuned->tile[i] > BR_VK_TUNED_TILES || tuned->matrix[i] > BR_VK_OFF)
            return false;
    if (tuned->dot > BR_VK_OFF || tuned->attention > BR_VK_ATTENTION_REDUCE)
        return false;
    tuning_file expected = file_of(caps, tuned);
    return memcmp(out_file, &expected, sizeof expected) == 0;
}

static void use(br_vk_device *device, const br_vk_tuned *tuned)
{
    device->caps.tuned = *tuned;
    if (device->dot_told)
        device->caps.tuned.dot = BR_VK_AUTO;
    if (device->matrix_told) {
        memset(device->caps.tuned.matrix, BR_VK_AUTO, sizeof device->caps.tuned.matrix);
        device->caps.tuned.attention = BR_VK_ATTENTION_AUTO;
    }
    device->tuned = true;
}

br_status br_vk_tuning_load(br_vk_device *device, const char *cache_dir)
{
    char name[40];
    char *data = NULL;
    size_t size = 0;
    tuning_file file;
    if (!cache_dir)
        return NULL;
    file = file_of(&device->caps, &(br_vk_tuned){0});
    snprintf(name, sizeof name, "%016" PRIx64 ".tune", file.hash);
    device->tuning_path = br_path_join(cache_dir, name);
    if (!device->tuning_path)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory");
    if (!br_file_exists(device->tuning_path))
        return NULL;
    br_status read = br_file_read(device->tuning_path, 2 * sizeof file, &data, &size);
    if (!read && is_good(&device->caps, data, size, &file)) {
        use(device, &file.tuned);
    } else {
        br_log_printf(device->instance->log, BR_LOG_INFO, "%s ignored: it is damaged or from elsewhere", device->tuning_path);
    }
    br_status_free(read);
    free(data);
    return NULL;
}

br_vk_tuning_state br_vk_device_tuning(const br_vk_device *device)
{
    return device->tuned ? BR_VK_TUNED : device->tuning_path ? BR_VK_NOT_TUNED : BR_VK_TUNING_NOT_KEPT;
}

br_status br_vk_device_tune(br_vk_device *device, const br_vk_tuned *tuned)
{
    use(device, tuned);
    if (!device->tuning_path)
        return NULL;
    tuning_file file = file_of(&device->caps, tuned);
    return br_file_write(device->tuning_path, &file, sizeof file);
}

void br_vk_device_forget_tuning(br_vk_device *device)
{
    device->caps.tuned = (br_vk_tuned){0};
    device->tuned = false;
    if (device->tuning_path)
        remove(device->tuning_path); /* one that was not there is forgotten too */
}
