/* Time and chance, from the operating system. */
#ifndef BR_BASE_CLOCK_H
#define BR_BASE_CLOCK_H

#include <stdint.h>

/* Seconds since some fixed moment; never goes back. */
double br_clock_seconds(void);
/* The same for a reading of the clock behind it, in that clock's own ticks: ns of CLOCK_MONOTONIC; QueryPerformanceCounter on Windows. Vulkan's calibrated
 * timestamps come as such. */
double br_clock_from_ticks(uint64_t ticks);
/* CPU seconds that the calling thread has used. */
double br_clock_thread_seconds(void);
/* A random seed below 2^32, the range that other tools show and accept. */
int64_t br_clock_seed(void);

#endif
