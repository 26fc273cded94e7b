#include "vk/gauges.h"

#include <stdio.h>
#include <stdlib.h>

#include "vk/handles.h"

/* Another program may be profiling. */
#define LOCK_TIMEOUT_NS UINT64_C(5000000000)

static const char *unit_name(VkPerformanceCounterUnitKHR unit)
{
    static const char *const names[] = {"", "%", "ns", "B", "B/s", "K", "W", "V", "A", "Hz", "cycles"};
    return (size_t)unit < sizeof names / sizeof names[0] ? names[unit] : "";
}

/* Whether these counters can be read at once. */
static bool one_pass(VkPhysicalDevice physical, uint32_t queue_family, const uint32_t *indices, uint32_t count)
{
    VkQueryPoolPerformanceCreateInfoKHR info = {VK_STRUCTURE_TYPE_QUERY_POOL_PERFORMANCE_CREATE_INFO_KHR,
                                                .queueFamilyIndex = queue_family, .counterIndexCount = count,
                                                .pCounterIndices = indices};
    uint32_t passes = 0;
    vkGetPhysicalDeviceQueueFamilyPerformanceQueryPassesKHR(physical, &info, &passes);
    return passes == 1;
}

static br_status enumerate(VkPhysicalDevice physical, uint32_t queue_family, VkPerformanceCounterKHR **out_counters,
                           VkPerformanceCounterDescriptionKHR **out_descriptions, uint32_t *out_count)
{
    uint32_t count = 0;
    BR_TRY(BR_VK(vkEnumeratePhysicalDeviceQueueFamilyPerformanceQueryCountersKHR(physical, queue_family, &count, NULL, NULL)));
    *out_counters = calloc(count + 1, sizeof **out_counters);
    *out_descriptions = calloc(count + 1, sizeof **out_descriptions);
    if (!*out_counters || !*out_descriptions)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory for %u hardware counters", count);
    for (uint32_t i = 0; i < count; i++) {
        (*out_counters)[i].sType = VK_STRUCTURE_TYPE_PERFORMANCE_COUNTER_KHR;
        (*out_descriptions)[i].sType = VK_STRUCTURE_TYPE_PERFORMANCE_COUNTER_DESCRIPTION_KHR;
    }
    *out_count = count;
    return BR_VK(vkEnumeratePhysicalDeviceQueueFamilyPerformanceQueryCountersKHR(physical, queue_family, out_count, *out_counters,
                                                                                 *out_descriptions));
}

br_status br_vk_gauges_init(VkPhysicalDevice physical, uint32_t queue_family, br_vk_gauges *out_gauges)
{
    br_status status = NULL;
    VkPerformanceCounterKHR *counters = NULL;
    VkPerformanceCounterDescriptionKHR *descriptions = NULL;
    uint32_t *chosen = NULL;
    *out_gauges = (br_vk_gauges){0};
    BR_TRY_GOTO(enumerate(physical, queue_family, &counters, &descriptions, &out_gauges->offered));
    chosen = calloc(out_gauges->offered + 1, sizeof *chosen);
    out_gauges->list = calloc(out_gauges->offered + 1, sizeof *out_gauges->list);
    if (!chosen || !out_gauges->list)
        BR_FAIL_GOTO(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory for %u hardware counters", out_gauges->offered);
    for (uint32_t i = 0; i < out_gauges->offered; i++) {
        if (counters[i].scope == VK_PERFORMANCE_COUNTER_SCOPE_RENDER_PASS_KHR)
            continue;
        chosen[out_gauges->count] = i;
        if (!one_pass(physical, queue_family, chosen, out_gauges->count + 1))
            continue;
        br_vk_gauge *gauge = &out_gauges->list[out_gauges->count++];
        *gauge = (br_vk_gauge){.index = i, .storage = counters[i].storage, .unit = unit_name(counters[i].unit)};
        snprintf(gauge->name, sizeof gauge->name, "%s", descriptions[i].name);
        snprintf(gauge->category, sizeof gauge->category, "%s", descriptions[i].category);
    }
    if (out_gauges->count == 0)
        status = br_fail(BR_ERROR_UNSUPPORTED, "none of the driver's %u hardware counters can be read around a dispatch",
                         out_gauges->offered);
fail:
    free(counters);
    free(descriptions);
    free(chosen);
    if (status)
        br_vk_gauges_finish(out_gauges);
    return status;
}

void br_vk_gauges_finish(br_vk_gauges *gauges)
{
    free(gauges->list);
    *gauges = (br_vk_gauges){0};
}

const br_vk_gauges *br_vk_device_gauges(const br_vk_device *device)
{
    return device->gauges.count > 0 ? &device->gauges : NULL;
}

br_status br_vk_gauges_pool(br_vk_device *device, uint32_t query_count, VkQueryPool *out_pool)
{
    const br_vk_gauges *gauges = &device->gauges;
    uint32_t *indices = calloc(gauges->count, sizeof *indices);
    if (!indices)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory for %u hardware counters", gauges->count);
    for (uint32_t i = 0; i < gauges->count; i++)
        indices[i] = gauges->list[i].index;
    VkQueryPoolPerformanceCreateInfoKHR counters = {VK_STRUCTURE_TYPE_QUERY_POOL_PERFORMANCE_CREATE_INFO_KHR,
                                                    .queueFamilyIndex = device->queue_family, .counterIndexCount = gauges->count,
                                                    .pCounterIndices = indices};
    VkQueryPoolCreateInfo info = {VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO, &counters,
                                  .queryType = VK_QUERY_TYPE_PERFORMANCE_QUERY_KHR, .queryCount = query_count};
    br_status status = BR_VK(device->fn.vkCreateQueryPool(device->handle, &info, NULL, out_pool));
    free(indices);
    return status;
}

br_status br_vk_gauges_lock(br_vk_device *device)
{
    if (device->gauge_locks++ > 0)
        return NULL;
    VkAcquireProfilingLockInfoKHR info = {VK_STRUCTURE_TYPE_ACQUIRE_PROFILING_LOCK_INFO_KHR, .timeout = LOCK_TIMEOUT_NS};
    VkResult result = device->fn.vkAcquireProfilingLockKHR(device->handle, &info);
    if (result == VK_SUCCESS)
        return NULL;
    device->gauge_locks--;
    if (result == VK_TIMEOUT)
        return br_fail(BR_ERROR_UNSUPPORTED, "%s: another program holds the lock on the hardware counters", device->caps.name);
    return br_vk_check(result, "vkAcquireProfilingLockKHR");
}

void br_vk_gauges_unlock(br_vk_device *device)
{
    if (--device->gauge_locks == 0)
        device->fn.vkReleaseProfilingLockKHR(device->handle);
}

double br_vk_gauge_value(const br_vk_gauge *gauge, const VkPerformanceCounterResultKHR *result)
{
    switch (gauge->storage) {
    case VK_PERFORMANCE_COUNTER_STORAGE_INT32_KHR:
        return result->int32;
    case VK_PERFORMANCE_COUNTER_STORAGE_INT64_KHR:
        return (double)result->int64;
    case VK_PERFORMANCE_COUNTER_STORAGE_UINT32_KHR:
        return result->uint32;
    case VK_PERFORMANCE_COUNTER_STORAGE_UINT64_KHR:
        return (double)result->uint64;
    case VK_PERFORMANCE_COUNTER_STORAGE_FLOAT32_KHR:
        return (double)result->float32;
    default:
        return result->float64;
    }
}
