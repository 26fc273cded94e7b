/* The timesteps and noise levels a sampler visits. Private to src/diffusion. */
#ifndef BR_DIFFUSION_SIGMAS_H
#define BR_DIFFUSION_SIGMAS_H

#include "diffusion/sampler_info.h"

/* out_timesteps[steps], falling. `rounded`: "linspace" timesteps are whole numbers (DDIM, DDPM) or not (the sigma samplers).
 * Errors: BR_ERROR_ARGUMENT when a timestep would fall outside the schedule. */
BR_MUST_CHECK br_status br_timesteps(const br_schedule *schedule, br_spacing spacing, int steps, bool rounded,
                                     double *out_timesteps);

/* The training schedule's sigma at a fractional timestep, by linear interpolation. */
double br_sigma_at(const br_schedule *schedule, double timestep);
/* The inverse, by interpolation in log(sigma); clamped to the schedule. */
double br_timestep_of_sigma(const br_schedule *schedule, double sigma);

/* What the samplers on x = x_0 + sigma · noise (Euler and all of k-diffusion's) visit. */
typedef struct br_sigma_ladder {
    double *sigmas;    /* owned, [steps + 1]; the last is where the run ends: 0 or sigma_0 */
    double *timesteps; /* inside the same allocation, [steps] */
    double init_noise_sigma;
} br_sigma_ladder;

BR_MUST_CHECK br_status br_sigma_ladder_init(const br_sampler_params *params, const br_sampler_info *info,
                                             br_sigma_ladder *out_ladder);
void br_sigma_ladder_finish(br_sigma_ladder *ladder);

/* Fills timestep, input_scale, sigma, x0_x and x0_out of an evaluation at rung `index`; returns the derivative dx/dsigma. */
br_linear br_sigma_ladder_evaluate(const br_sampler_params *params, const br_sigma_ladder *ladder, int index,
                                   br_sampler_step *step);

/* The same between the rungs. */
br_linear br_sigma_evaluate(const br_sampler_params *params, double sigma, double timestep, br_sampler_step *step);

/* An ancestral step from sigma `from` to sigma `to`: deterministic to `down`, then noise of level `up`; down² + up² = to². */
typedef struct br_ancestral {
    double down, up;
} br_ancestral;
br_ancestral br_ancestral_split(double from, double to, double eta);

#endif
