/* Scales for a group of weights: the codes are whole numbers, the error is the plain sum of squares. Values that are not finite give some
 * codes within their range. */
#ifndef BR_WEIGHTS_QUANT_FIT_H
#define BR_WEIGHTS_QUANT_FIT_H

#include <stdint.h>

/* Largest group; every group is a multiple of BR_FIT_LANES. */
#define BR_FIT_GROUP_MAX 32
#define BR_FIT_LANES 8

/* Which whole numbers a code may be. */
typedef struct br_fit_range {
    int low, high;
} br_fit_range;

/* value / step to the nearest code; 0, or the code nearest to it, where step is 0. */
int br_fit_code(float value, float step, br_fit_range range);

/* x[i] is about scale * q[i] - minimum with q of 0 .. high and minimum >= 0. Returns the scale. */
float br_fit_offset(const float *x, int count, int high, float *out_minimum);
/* x[i] is about scale * q[i] with q of low .. high, low = -high - 1. The scale may be negative. */
float br_fit_symmetric(const float *x, int count, br_fit_range range);

#endif
