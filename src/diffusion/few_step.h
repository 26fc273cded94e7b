/* What the samplers of consistency-distilled models (LCM, TCD) visit. Private to src/diffusion. */
#ifndef BR_DIFFUSION_FEW_STEP_H
#define BR_DIFFUSION_FEW_STEP_H

#include "diffusion/sampler_info.h"

/* out_timesteps[steps], falling: evenly chosen among the original_steps timesteps that the distillation stepped between.
 * Errors: BR_ERROR_ARGUMENT when there are fewer than `steps`. */
BR_MUST_CHECK br_status br_few_step_timesteps(const br_sampler_params *params, const br_sampler_info *info, int *out_timesteps);

#endif
