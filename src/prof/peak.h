/* The moment at which a program's arena is fullest, and what fills it. */
#ifndef BR_PROF_PEAK_H
#define BR_PROF_PEAK_H

#include "prof/profile.h"

#define BR_PROF_PEAK_VALUES_MAX 12

typedef struct br_prof_peak {
    int dispatch;
    uint64_t bytes;
    const br_prof_value *values[BR_PROF_PEAK_VALUES_MAX]; /* borrowed; alive there, the largest first */
    int value_count;
} br_prof_peak;

br_prof_peak br_prof_find_peak(const br_prof_program *program);

#endif
