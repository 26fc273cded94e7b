/* Group normalisation of x [B, rows, C], two passes in double. */
#ifndef BR_REF_GROUP_NORM_H
#define BR_REF_GROUP_NORM_H

#include <stdbool.h>
#include <stddef.h>

typedef struct br_ref_group_norm_params {
    const float *x, *gamma, *beta;
    size_t pictures, rows, channels, groups;
    double eps;
    bool silu;
} br_ref_group_norm_params;

void br_ref_group_norm(const br_ref_group_norm_params *params, double *y);

#endif
