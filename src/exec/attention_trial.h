/* One self-attention on a device, in f16: held against the host's own arithmetic in double precision, then timed. */
#ifndef BR_EXEC_ATTENTION_TRIAL_H
#define BR_EXEC_ATTENTION_TRIAL_H

#include "exec/trial.h"
#include "ops/emit.h"

#define BR_ATTENTION_TRIAL_WIDTH 320 /* of 8 heads of 40, as Stable Diffusion 1.5 has them */

typedef struct br_attention_trial_params {
    br_vk_device *device;   /* borrowed; nothing of it is changed */
    const br_vk_caps *caps; /* borrowed; those that ops choose their form by */
    br_shader_id shader;    /* the form to be measured */
    int queries, keys;
    int repeats; /* as in br_trial_params */
} br_attention_trial_params;

/* BR_ERROR_UNSUPPORTED: ops do not choose that form by these caps. Else as br_trial_run. */
BR_MUST_CHECK br_status br_attention_trial_run(const br_attention_trial_params *params, br_trial_result *out_result);

#endif
