/* Strategic stochastic sampling: Zheng et al., "Trajectory Consistency Distillation" (2024), algorithm 4, as diffusers' TCDScheduler:
 * down past the next timestep, to (1 - eta) of it (the paper's gamma is eta), then noise back up. */
#include <math.h>
#include <stdlib.h>

#include "diffusion/few_step.h"

static br_status plan_tcd(const br_sampler_params *params, br_sampler_plan *plan)
{
    const br_schedule *schedule = params->schedule;
    int steps = params->steps;
    int *timesteps = malloc((size_t)steps * sizeof *timesteps);
    if (!timesteps)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "no memory for %d sampling steps", steps);
    br_status status = br_few_step_timesteps(params, &br_sampler_info_tcd, timesteps);
    for (int i = 0; i < steps && !status; i++) {
        int t = timesteps[i], to = i + 1 < steps ? timesteps[i + 1] : 0;
        int past = (int)floorf((float)(1 - params->eta) * (float)to); /* in float32, as torch */
        double alpha = schedule->alpha_bar[t], alpha_past = schedule->alpha_bar[past];
        /* The run ends at timestep 0, without fresh noise. */
        double share = params->eta > 0 ? schedule->alpha_bar[to] / alpha_past : 1;
        double up = sqrt(share);
        br_sampler_step *step = &plan->evaluations[i];
        br_linear x0 = br_vp_evaluate(schedule, t, step);
        br_linear eps = br_eps_from_alpha_bar(schedule->params.prediction, alpha);
        step->x_scale = up * (sqrt(alpha_past) * x0.x + sqrt(1 - alpha_past) * eps.x);
        step->out_scale = up * (sqrt(alpha_past) * x0.out + sqrt(1 - alpha_past) * eps.out);
        step->noise_scale = sqrt(1 - share);
        step->ends_step = true;
    }
    plan->evaluation_count = steps;
    free(timesteps);
    return status;
}

const br_sampler_info br_sampler_info_tcd = {
    .name = "tcd",
    .label = "TCD",
    .class_name = "TCDScheduler",
    .default_spacing = BR_SPACING_LEADING,
    .takes_eta = true,
    .default_eta = 0.3, /* as in diffusers */
    .evaluations_per_step = 1,
    .plan = plan_tcd,
};
