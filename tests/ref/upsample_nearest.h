/* x: [B, H, W, C] -> y: [B, height, width, C] */
#ifndef BR_REF_UPSAMPLE_NEAREST_H
#define BR_REF_UPSAMPLE_NEAREST_H

#include <stdbool.h>
#include <stddef.h>

#include "graph/tensor.h"

void br_ref_upsample_nearest(const float *x, br_shape shape, int64_t height, int64_t width, double *y);

#endif
