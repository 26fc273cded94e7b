/* Normalisation over each row of x [rows, width], two passes in double. */
#ifndef BR_REF_LAYER_NORM_H
#define BR_REF_LAYER_NORM_H

#include <stdbool.h>
#include <stddef.h>

typedef struct br_ref_layer_norm_params {
    const float *x, *gamma, *beta;
    size_t rows, width;
    double eps;
} br_ref_layer_norm_params;

void br_ref_layer_norm(const br_ref_layer_norm_params *params, double *y);

#endif
