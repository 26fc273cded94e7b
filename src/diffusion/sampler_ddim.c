/* DDIM: Song, Meng and Ermon, "Denoising Diffusion Implicit Models" (2020), equations 12 and 16. */
#include <math.h>
#include <stdlib.h>

#include "diffusion/sigmas.h"

static br_status plan_ddim(const br_sampler_params *params, br_sampler_plan *plan)
{
    const br_schedule *schedule = params->schedule;
    int steps = params->steps, gap = schedule->params.timesteps / steps;
    double *timesteps = malloc((size_t)steps * sizeof *timesteps);
    if (!timesteps)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "no memory for %d sampling steps", steps);
    br_status status = br_timesteps(schedule, br_sampler_spacing(params, &br_sampler_info_ddim), steps, true, timesteps);
    for (int i = 0; i < steps && !status; i++) {
        /* As in diffusers the previous timestep is one gap of "leading" away, whatever the spacing. */
        int t = (int)timesteps[i], previous = t - gap;
        double alpha = schedule->alpha_bar[t];
        double alpha_to = previous >= 0 ? schedule->alpha_bar[previous] : br_schedule_last_alpha_bar(schedule, BR_ALPHA_END_ONE);
        double variance = (1 - alpha_to) / (1 - alpha) * (1 - alpha / alpha_to);
        double added = variance > 0 ? params->eta * sqrt(variance) : 0;
        double direction = 1 - alpha_to - added * added;
        direction = direction > 0 ? sqrt(direction) : 0;

        br_sampler_step *step = &plan->evaluations[i];
        br_linear x0 = br_vp_evaluate(schedule, t, step);
        br_linear eps = br_eps_from_alpha_bar(schedule->params.prediction, alpha);
        step->x_scale = sqrt(alpha_to) * x0.x + direction * eps.x;
        step->out_scale = sqrt(alpha_to) * x0.out + direction * eps.out;
        step->noise_scale = added;
        step->ends_step = true;
    }
    plan->evaluation_count = steps;
    free(timesteps);
    return status;
}

const br_sampler_info br_sampler_info_ddim = {
    .name = "ddim",
    .label = "DDIM",
    .class_name = "DDIMScheduler",
    .default_spacing = BR_SPACING_LEADING,
    .takes_eta = true,
    .evaluations_per_step = 1,
    .plan = plan_ddim,
};
