/* Multistep consistency sampling: Luo et al., "Latent Consistency Models" (2023), algorithm 3, as diffusers' LCMScheduler. */
#include <math.h>
#include <stdlib.h>

#include "diffusion/few_step.h"

/* Standard deviation of the data, which the boundary condition below is written in. */
#define SIGMA_DATA 0.5

static br_status plan_lcm(const br_sampler_params *params, br_sampler_plan *plan)
{
    const br_schedule *schedule = params->schedule;
    int steps = params->steps;
    int *timesteps = malloc((size_t)steps * sizeof *timesteps);
    if (!timesteps)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "no memory for %d sampling steps", steps);
    br_status status = br_few_step_timesteps(params, &br_sampler_info_lcm, timesteps);
    for (int i = 0; i < steps && !status; i++) {
        int t = timesteps[i];
        double scaled = t * schedule->params.timestep_scaling;
        double skip = SIGMA_DATA * SIGMA_DATA / (scaled * scaled + SIGMA_DATA * SIGMA_DATA);
        double out = scaled / sqrt(scaled * scaled + SIGMA_DATA * SIGMA_DATA);
        double alpha_to = i + 1 < steps ? schedule->alpha_bar[timesteps[i + 1]] : 1;
        br_sampler_step *step = &plan->evaluations[i];
        br_linear x0 = br_vp_evaluate(schedule, t, step);
        step->x_scale = sqrt(alpha_to) * (out * x0.x + skip);
        step->out_scale = sqrt(alpha_to) * out * x0.out;
        step->noise_scale = sqrt(1 - alpha_to);
        step->ends_step = true;
    }
    plan->evaluation_count = steps;
    free(timesteps);
    return status;
}

const br_sampler_info br_sampler_info_lcm = {
    .name = "lcm",
    .label = "LCM",
    .class_name = "LCMScheduler",
    .default_spacing = BR_SPACING_LEADING,
    .evaluations_per_step = 1,
    .plan = plan_lcm,
};
