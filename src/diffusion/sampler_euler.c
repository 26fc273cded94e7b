/* Euler: Karras et al., "Elucidating the Design Space of Diffusion-Based Generative Models" (2022), algorithm 2 without churn. */
#include "diffusion/sigmas.h"

static br_status plan_euler(const br_sampler_params *params, br_sampler_plan *plan)
{
    br_sigma_ladder ladder;
    BR_TRY(br_sigma_ladder_init(params, &br_sampler_info_euler, &ladder));
    for (int i = 0; i < params->steps; i++) {
        br_sampler_step *step = &plan->evaluations[i];
        br_linear derivative = br_sigma_ladder_evaluate(params, &ladder, i, step);
        double delta = ladder.sigmas[i + 1] - ladder.sigmas[i];
        step->x_scale = 1 + delta * derivative.x;
        step->out_scale = delta * derivative.out;
        step->ends_step = true;
    }
    plan->evaluation_count = params->steps;
    plan->init_noise_sigma = ladder.init_noise_sigma;
    br_sigma_ladder_finish(&ladder);
    return NULL;
}

const br_sampler_info br_sampler_info_euler = {
    .name = "euler",
    .label = "Euler",
    .class_name = "EulerDiscreteScheduler",
    .default_spacing = BR_SPACING_LINSPACE,
    .takes_sigmas = true,
    .evaluations_per_step = 1,
    .plan = plan_euler,
};
