/* DDPM: Ho, Jain and Abbeel, "Denoising Diffusion Probabilistic Models" (2020), equations 6 and 7, on a subset of the timesteps. */
#include <math.h>
#include <stdlib.h>

#include "diffusion/sigmas.h"

static br_status plan_ddpm(const br_sampler_params *params, br_sampler_plan *plan)
{
    const br_schedule *schedule = params->schedule;
    int steps = params->steps;
    double *timesteps = malloc((size_t)steps * sizeof *timesteps);
    if (!timesteps)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "no memory for %d sampling steps", steps);
    br_status status = br_timesteps(schedule, br_sampler_spacing(params, &br_sampler_info_ddpm), steps, true, timesteps);
    for (int i = 0; i < steps && !status; i++) {
        int t = (int)timesteps[i];
        double alpha = schedule->alpha_bar[t];
        double alpha_to = i + 1 < steps ? schedule->alpha_bar[(int)timesteps[i + 1]] : 1;
        double alpha_step = alpha / alpha_to, beta_step = 1 - alpha_step;
        double from_x0 = sqrt(alpha_to) * beta_step / (1 - alpha);
        double from_x = sqrt(alpha_step) * (1 - alpha_to) / (1 - alpha);
        double variance =
            schedule->params.variance == BR_VARIANCE_FIXED_LARGE ? beta_step : (1 - alpha_to) / (1 - alpha) * beta_step;

        br_sampler_step *step = &plan->evaluations[i];
        br_linear x0 = br_vp_evaluate(schedule, t, step);
        step->x_scale = from_x0 * x0.x + from_x;
        step->out_scale = from_x0 * x0.out;
        step->noise_scale = t > 0 && variance > 0 ? sqrt(variance) : 0;
        step->ends_step = true;
    }
    plan->evaluation_count = steps;
    free(timesteps);
    return status;
}

const br_sampler_info br_sampler_info_ddpm = {
    .name = "ddpm",
    .label = "DDPM",
    .class_name = "DDPMScheduler",
    .default_spacing = BR_SPACING_LEADING,
    .evaluations_per_step = 1,
    .plan = plan_ddpm,
};
