/* Ancestral sampling with Euler steps: down to a lower sigma, then noise back up to the wanted one (Song et al. 2020, appendix F,
 * in the sigma parameterisation of Karras et al. 2022). eta and s_noise as in k-diffusion's sample_euler_ancestral. */
#include "diffusion/sigmas.h"

static br_status plan_euler_a(const br_sampler_params *params, br_sampler_plan *plan)
{
    br_sigma_ladder ladder;
    BR_TRY(br_sigma_ladder_init(params, &br_sampler_info_euler_a, &ladder));
    ladder.sigmas[params->steps] = 0; /* an ancestral run ends without noise, whatever the schedule's final sigma */
    for (int i = 0; i < params->steps; i++) {
        br_sampler_step *step = &plan->evaluations[i];
        br_linear derivative = br_sigma_ladder_evaluate(params, &ladder, i, step);
        br_ancestral aims = br_ancestral_split(ladder.sigmas[i], ladder.sigmas[i + 1], params->eta);
        double delta = aims.down - ladder.sigmas[i];
        step->x_scale = 1 + delta * derivative.x;
        step->out_scale = delta * derivative.out;
        step->noise_scale = params->s_noise * aims.up;
        step->ends_step = true;
    }
    plan->evaluation_count = params->steps;
    plan->init_noise_sigma = ladder.init_noise_sigma;
    br_sigma_ladder_finish(&ladder);
    return NULL;
}

const br_sampler_info br_sampler_info_euler_a = {
    .name = "euler_a",
    .label = "Euler a",
    .aliases = {"euler_ancestral"},
    .class_name = "EulerAncestralDiscreteScheduler",
    .default_spacing = BR_SPACING_LINSPACE,
    .takes_sigmas = true,
    .takes_eta = true,
    .takes_s_noise = true,
    .default_eta = 1,
    .evaluations_per_step = 1,
    .plan = plan_euler_a,
};
