/* The formulas of br_step in shaders/common/abi.h. */
#ifndef BR_REF_SAMPLER_STEP_H
#define BR_REF_SAMPLER_STEP_H

#include <stdbool.h>
#include <stddef.h>

#include "common/abi.h"

typedef struct br_ref_sampler_step_params {
    const br_step *step;
    const float *out;   /* [count], or [2 count] with guidance */
    const float *noise; /* [count] */
    size_t count;
    bool guided;
} br_ref_sampler_step_params;

/* In place on x [count] and history [BR_HISTORY_MAX, count]. */
void br_ref_sampler_step(const br_ref_sampler_step_params *params, double *x, double *history);

#endif
