/* What a short measurement chose for this device and driver, kept beside the pipeline cache: CACHE_DIR/<hash of device and driver>.tune. A file that is cut,
 * altered, from another device or driver, or of another form is ignored. */
#ifndef BR_VK_TUNING_H
#define BR_VK_TUNING_H

#include "vk/device.h"

/* Reads the file into the device's caps, when there is one. `cache_dir` may be NULL. */
BR_MUST_CHECK br_status br_vk_tuning_load(br_vk_device *device, const char *cache_dir);

#endif
