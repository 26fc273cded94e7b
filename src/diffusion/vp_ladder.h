/* What the multistep solvers on the scale of the forward process (DPM++ 2M and 2M SDE, UniPC, DEIS) visit. Private to src/diffusion. */
#ifndef BR_DIFFUSION_VP_LADDER_H
#define BR_DIFFUSION_VP_LADDER_H

#include "diffusion/sigmas.h"

/* Where the diffusers classes differ. */
typedef struct br_vp_ladder_style {
    bool ends_flat;  /* a final_sigma_min run on other sigmas than the schedule's ends at the last one visited, not at sigma_0 */
    bool never_zero; /* as if final_sigma_min were set */
} br_vp_ladder_style;

typedef struct br_vp_ladder {
    double *sigmas;    /* owned, [steps + 1], falling; the last is where the run ends: 0 or the smallest */
    double *timesteps; /* inside the same allocation, [steps] */
} br_vp_ladder;

BR_MUST_CHECK br_status br_vp_ladder_init(const br_sampler_params *params, const br_sampler_info *info, br_vp_ladder_style style,
                                          br_vp_ladder *out_ladder);
void br_vp_ladder_finish(br_vp_ladder *ladder);

/* alpha and sigma · alpha: x = alpha · (x_0 + sigma · noise). */
double br_vp_alpha(double sigma);

/* Fills all of an evaluation at rung `index` but the coefficients of x; h becomes the estimate of x_0, which is returned too. */
br_linear br_vp_ladder_evaluate(const br_sampler_params *params, const br_vp_ladder *ladder, int index, br_sampler_step *step);

/* DPM-Solver's rule for the last step: first order below 15 steps, and towards sigma 0. */
bool br_vp_lower_order(const br_schedule_params *schedule, int index, int steps);

#endif
