/* y[copies, count] = scale * x[count] */
#ifndef BR_REF_MODEL_INPUT_H
#define BR_REF_MODEL_INPUT_H

#include <stdbool.h>
#include <stddef.h>

void br_ref_model_input(const float *x, size_t count, int copies, double scale, double *y);

#endif
