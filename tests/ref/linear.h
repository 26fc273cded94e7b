/* The plainest linear layer, in double. */
#ifndef BR_REF_LINEAR_H
#define BR_REF_LINEAR_H

#include <stddef.h>

#include "ops/op.h"

typedef struct br_ref_linear_params {
    size_t m, n, k;
    const float *x;            /* [m, k] */
    const float *weight;       /* [n, k], with geglu [2n, k] */
    const float *bias;         /* [n], with geglu [2n], or NULL */
    const float *residual;     /* [m, n] or NULL */
    const float *residual_row; /* [n] or NULL */
    br_activation activation;
    bool geglu;
    size_t w_stride; /* numbers from a row of the weight to the next; 0: k */
} br_ref_linear_params;

void br_ref_linear(const br_ref_linear_params *params, double *out_y); /* [m, n] */

#endif
