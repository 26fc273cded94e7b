/* One matrix product y = x · wᵀ on a device: held against the host's own arithmetic in double precision, then timed. */
#ifndef BR_EXEC_TRIAL_H
#define BR_EXEC_TRIAL_H

#include "exec/stage.h"

typedef struct br_trial_params {
    br_vk_device *device;   /* borrowed; nothing of it is changed */
    const br_vk_caps *caps; /* borrowed; those that ops choose their form by */
    int m, n, k;            /* x [m, k], w [n, k] */
    int repeats; /* of the product in a submission, whose own cost would hide one; so would the last result's way to the host's memory */
    br_dtype x, w; /* f32 or f16; w also Q8_0, k then a multiple of 32 */
    bool packs;    /* the form to be measured rounds x to signed bytes first, as shaders/ops/linear_pack.h says */
} br_trial_params;

typedef struct br_trial_result {
    double gflops; /* a second; 0 when the numbers are wrong */
    double error;  /* ‖y − host's‖ / ‖host's‖ */
    bool right;    /* the error is within what the storage of y allows */
} br_trial_result;

/* Fails as what it uses does: the form cannot be built, memory, the device is lost. */
BR_MUST_CHECK br_status br_trial_run(const br_trial_params *params, br_trial_result *out_result);

/* What every trial does: fills y, of `count` elements, with NAN, since memory that is used again may still hold the right result of the trial before; the quickest
 * of five runs. */
BR_MUST_CHECK br_status br_trial_poison(br_stage *stage, br_value y, int64_t count);
BR_MUST_CHECK br_status br_trial_time(br_stage *stage, double *out_seconds);

#endif
