/* Asks a physical device what it can do and decides what of it is believed. */
#ifndef BR_VK_CAPS_H
#define BR_VK_CAPS_H

#include "vk/device.h"

/* A physical device as the instance found it. */
typedef struct br_vk_physical {
    VkPhysicalDevice handle;
    br_vk_caps caps;
    const char *unusable; /* NULL, or why the engine cannot run there; static text */
    uint32_t queue_family;
    VkDriverId driver_id;
    VkPhysicalDeviceMemoryProperties memory;
    bool resizable_bar; /* the host can map all of a discrete device's memory */
    /* extensions that must be enabled for what `caps` promises when the device's Vulkan version is too low to have them in the core */
    bool ext_portability_subset, ext_f16_i8, ext_8bit_storage, ext_subgroup_size_control, ext_integer_dot;
    const char *ext_calibrated_timestamps; /* the name of the extension (KHR or EXT), or NULL */
} br_vk_physical;

/* Fills *out_physical. The instance must be at least Vulkan 1.1. Errors: BR_ERROR_OUT_OF_HOST_MEMORY, BR_ERROR_VULKAN. */
BR_MUST_CHECK br_status br_vk_physical_query(VkPhysicalDevice handle, br_vk_physical *out_physical);

/* Takes back what is known to be wrong on this driver and says why in caps.distrusted. `driver` is the kind of driver. */
void br_vk_caps_distrust(br_vk_caps *caps, VkDriverId driver);

#endif
