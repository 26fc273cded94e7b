#include "vk/clock.h"

#include <string.h>

#include "base/clock.h"
#include "vk/handles.h"

/* Newer than the headers that Brume builds with; the same functions as the EXT's. */
#define CALIBRATED_KHR "VK_KHR_calibrated_timestamps"

#if defined(_WIN32)
#define HOST_DOMAIN VK_TIME_DOMAIN_QUERY_PERFORMANCE_COUNTER_EXT
#else
#define HOST_DOMAIN VK_TIME_DOMAIN_CLOCK_MONOTONIC_EXT
#endif
#define DOMAIN_MAX 16

void br_vk_clock_init(br_vk_device *device)
{
    const char *extension = device->physical->ext_calibrated_timestamps;
    if (!extension || device->caps.timestamp_bits == 0)
        return;
    bool khr = strcmp(extension, CALIBRATED_KHR) == 0;
    PFN_vkGetPhysicalDeviceCalibrateableTimeDomainsEXT list =
        (PFN_vkGetPhysicalDeviceCalibrateableTimeDomainsEXT)vkGetInstanceProcAddr(
            device->instance->handle,
            khr ? "vkGetPhysicalDeviceCalibrateableTimeDomainsKHR" : "vkGetPhysicalDeviceCalibrateableTimeDomainsEXT");
    if (!list)
        return;
    VkTimeDomainEXT domains[DOMAIN_MAX];
    uint32_t count = DOMAIN_MAX;
    bool host = false, own = false;
    if (list(device->physical->handle, &count, domains) < 0)
        return;
    for (uint32_t i = 0; i < count; i++) {
        host = host || domains[i] == HOST_DOMAIN;
        own = own || domains[i] == VK_TIME_DOMAIN_DEVICE_EXT;
    }
    if (host && own)
        device->calibrated_timestamps = (PFN_vkGetCalibratedTimestampsEXT)vkGetDeviceProcAddr(
            device->handle, khr ? "vkGetCalibratedTimestampsKHR" : "vkGetCalibratedTimestampsEXT");
}

bool br_vk_device_moment(const br_vk_device *device, br_vk_moment *out_moment)
{
    if (!device->calibrated_timestamps)
        return false;
    const VkCalibratedTimestampInfoEXT infos[2] = {
        {VK_STRUCTURE_TYPE_CALIBRATED_TIMESTAMP_INFO_EXT, .timeDomain = VK_TIME_DOMAIN_DEVICE_EXT},
        {VK_STRUCTURE_TYPE_CALIBRATED_TIMESTAMP_INFO_EXT, .timeDomain = HOST_DOMAIN},
    };
    uint64_t ticks[2], deviation;
    if (device->calibrated_timestamps(device->handle, 2, infos, ticks, &deviation) != VK_SUCCESS)
        return false;
    *out_moment =
        (br_vk_moment){.ticks = ticks[0], .seconds = br_clock_from_ticks(ticks[1]), .deviation = (double)deviation * 1e-9};
    return true;
}

/* The shorter way around. */
static int64_t distance(const br_vk_caps *caps, uint64_t from, uint64_t to)
{
    uint64_t mask = caps->timestamp_bits >= 64 ? UINT64_MAX : (UINT64_C(1) << caps->timestamp_bits) - 1;
    uint64_t forward = (to - from) & mask, backward = (from - to) & mask;
    return forward <= backward ? (int64_t)forward : -(int64_t)backward;
}

double br_vk_ticks_between(const br_vk_caps *caps, uint64_t from, uint64_t to)
{
    return (double)distance(caps, from, to) * caps->timestamp_period * 1e-9;
}

void br_vk_ticks_unwrap(const br_vk_caps *caps, uint64_t *ticks, size_t count)
{
    uint64_t raw = count > 0 ? ticks[0] : 0;
    for (size_t i = 1; i < count; i++) {
        uint64_t next = ticks[i];
        ticks[i] = ticks[i - 1] + (uint64_t)distance(caps, raw, next);
        raw = next;
    }
}
