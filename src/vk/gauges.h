/* Hardware counters of a device, VK_KHR_performance_query: which there are, those that can be read together in one pass, and a query pool of them. Written
 * against the specification of Vulkan 1.3, section "Performance Query"; ran only where nothing is executed (Turnip on a stub of its kernel driver). */
#ifndef BR_VK_GAUGES_H
#define BR_VK_GAUGES_H

#include "vk/device.h"

typedef struct br_vk_gauge {
    uint32_t index; /* the driver's */
    VkPerformanceCounterStorageKHR storage;
    const char *unit; /* "", "%", "ns", "B", "B/s", "K", "W", "V", "A", "Hz", "cycles" */
    char name[VK_MAX_DESCRIPTION_SIZE], category[VK_MAX_DESCRIPTION_SIZE];
} br_vk_gauge;

typedef struct br_vk_gauges {
    br_vk_gauge *list; /* owned */
    uint32_t count;
    uint32_t offered; /* of all that the driver has; the others need further passes or a render pass */
} br_vk_gauges;

/* In the driver's order, as many as one pass takes. Errors: BR_ERROR_UNSUPPORTED when the driver has none for a dispatch. */
BR_MUST_CHECK br_status br_vk_gauges_init(VkPhysicalDevice physical, uint32_t queue_family, br_vk_gauges *out_gauges);
void br_vk_gauges_finish(br_vk_gauges *gauges);

/* The device's own; NULL unless it was opened with params.gauges. */
const br_vk_gauges *br_vk_device_gauges(const br_vk_device *device);
BR_MUST_CHECK br_status br_vk_gauges_pool(br_vk_device *device, uint32_t query_count, VkQueryPool *out_pool);
/* The profiling lock, held from before commands with queries are recorded until they have run. Recordings of one device share it. */
BR_MUST_CHECK br_status br_vk_gauges_lock(br_vk_device *device);
void br_vk_gauges_unlock(br_vk_device *device);

double br_vk_gauge_value(const br_vk_gauge *gauge, const VkPerformanceCounterResultKHR *result);

#endif
