/* The device's clock: ticks to seconds, and what the host's clock says at the same moment. */
#ifndef BR_VK_CLOCK_H
#define BR_VK_CLOCK_H

#include "vk/device.h"

/* One moment on both clocks. */
typedef struct br_vk_moment {
    uint64_t ticks;   /* of the device, as timestamps are */
    double seconds;   /* br_clock_seconds() */
    double deviation; /* seconds; how far the two may lie apart */
} br_vk_moment;

/* Reads both clocks. False where the device lacks VK_KHR_calibrated_timestamps (or EXT) or shares no clock with the host. */
bool br_vk_device_moment(const br_vk_device *device, br_vk_moment *out_moment);
/* Seconds from one tick count to another, negative when `to` lies before `from`. Only the low timestamp_bits count and they wrap around, so what is further
 * apart than half of their range cannot be told. */
double br_vk_ticks_between(const br_vk_caps *caps, uint64_t from, uint64_t to);
/* Timestamps that were written one after the other, made to go on past each turn of the counter: ticks[0] stays, the others lie as far from the one before
 * as they were apart. */
void br_vk_ticks_unwrap(const br_vk_caps *caps, uint64_t *ticks, size_t count);

#endif
