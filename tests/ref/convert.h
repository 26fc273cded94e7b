/* y = scale * x + shift in another layout */
#ifndef BR_REF_CONVERT_H
#define BR_REF_CONVERT_H

#include <stdbool.h>
#include <stddef.h>

#include "ops/op.h"

void br_ref_convert(const float *x, br_shape shape, const br_convert_params *params, double *y);

#endif
