/* y[rows, width] = x[rows, 0:width] * gelu(x[rows, width:2 width]) */
#ifndef BR_REF_GEGLU_H
#define BR_REF_GEGLU_H

#include <stdbool.h>
#include <stddef.h>

void br_ref_geglu(const float *x, size_t rows, size_t width, double *y);

#endif
