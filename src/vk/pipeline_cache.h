/* The driver's compiled shaders on disk: CACHE_DIR/<hash of device and driver>.bin. Files from elsewhere, cut or altered are dropped, never
 * handed to a driver: some crash on them. */
#ifndef BR_VK_PIPELINE_CACHE_H
#define BR_VK_PIPELINE_CACHE_H

#include "vk/device.h"

typedef struct br_vk_pipeline_cache {
    VkPipelineCache handle; /* owned */
    char *path;             /* owned; NULL: not kept on disk */
    size_t loaded_size;     /* bytes of driver data when the cache had just been loaded */
} br_vk_pipeline_cache;

BR_MUST_CHECK br_status br_vk_pipeline_cache_init(br_vk_device *device, const char *cache_dir, br_vk_pipeline_cache *out_cache);
/* Writes the file when there is more in the cache than was loaded. What goes wrong there is logged: it costs the next start some time only. */
void br_vk_pipeline_cache_finish(br_vk_device *device, br_vk_pipeline_cache *cache);

#endif
