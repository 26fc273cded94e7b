/* DPM-Solver-2: Lu et al., "DPM-Solver: A Fast ODE Solver for Diffusion Probabilistic Model Sampling in Around 10 Steps" (2022), in
 * the sigma parameterisation of Karras et al. 2022, algorithm 2 without its noise, as diffusers' KDPM2DiscreteScheduler: Euler to the
 * midpoint in log(sigma), then the whole step with the derivative found there. */
#include <math.h>

#include "diffusion/sigmas.h"

static br_status plan_dpm2(const br_sampler_params *params, br_sampler_plan *plan)
{
    br_sigma_ladder ladder;
    BR_TRY(br_sigma_ladder_init(params, &br_sampler_info_dpm2, &ladder));
    ladder.sigmas[params->steps] = 0; /* the last step is Euler's, to 0: log(sigma) has no midpoint */
    br_sampler_step *step = plan->evaluations;
    for (int i = 0; i < params->steps; i++) {
        double from = ladder.sigmas[i], to = ladder.sigmas[i + 1];
        double middle = sqrt(from * to);
        br_linear derivative = br_sigma_ladder_evaluate(params, &ladder, i, step);
        step->x_scale = 1 + (middle - from) * derivative.x;
        step->out_scale = (middle - from) * derivative.out;
        step->h_x = 1;
        if (to > 0) {
            step++;
            derivative = br_sigma_evaluate(params, middle, br_timestep_of_sigma(params->schedule, middle), step);
            step->x_scale = (to - from) * derivative.x;
            step->out_scale = (to - from) * derivative.out;
            step->history_scale[0] = 1;
        }
        step++->ends_step = true;
    }
    plan->evaluation_count = (int)(step - plan->evaluations);
    plan->init_noise_sigma = ladder.init_noise_sigma;
    br_sigma_ladder_finish(&ladder);
    return NULL;
}

const br_sampler_info br_sampler_info_dpm2 = {
    .name = "dpm2",
    .label = "DPM2",
    .aliases = {"dpm_2"},
    .class_name = "KDPM2DiscreteScheduler",
    .default_spacing = BR_SPACING_LINSPACE,
    .takes_sigmas = true,
    .rounds_karras = true,
    .evaluations_per_step = 2,
    .history_rows = 1,
    .plan = plan_dpm2,
};
