/* Heun: Karras et al. 2022, algorithm 1. The first evaluation of a step takes the Euler step and remembers its derivative; the
 * second, at the far end, replaces it by the mean of both derivatives. */
#include "diffusion/sigmas.h"

static br_status plan_heun(const br_sampler_params *params, br_sampler_plan *plan)
{
    br_sigma_ladder ladder;
    BR_TRY(br_sigma_ladder_init(params, &br_sampler_info_heun, &ladder));
    ladder.sigmas[params->steps] = 0; /* there is no evaluation at the end, so the last step is Euler's, to 0 */
    br_sampler_step *step = plan->evaluations;
    for (int i = 0; i < params->steps; i++) {
        br_linear derivative = br_sigma_ladder_evaluate(params, &ladder, i, step);
        double delta = ladder.sigmas[i + 1] - ladder.sigmas[i];
        step->x_scale = 1 + delta * derivative.x;
        step->out_scale = delta * derivative.out;
        step->h_x = derivative.x;
        step->h_out = derivative.out;
        if (i + 1 == params->steps) {
            step++->ends_step = true;
            break;
        }
        step++;
        /* x is now x_old + delta · history[0]; wanted is x_old + delta/2 · (history[0] + derivative). */
        derivative = br_sigma_ladder_evaluate(params, &ladder, i + 1, step);
        step->x_scale = 1 + delta / 2 * derivative.x;
        step->out_scale = delta / 2 * derivative.out;
        step->history_scale[0] = -delta / 2;
        step++->ends_step = true;
    }
    plan->evaluation_count = (int)(step - plan->evaluations);
    plan->init_noise_sigma = ladder.init_noise_sigma;
    br_sigma_ladder_finish(&ladder);
    return NULL;
}

const br_sampler_info br_sampler_info_heun = {
    .name = "heun",
    .label = "Heun",
    .class_name = "HeunDiscreteScheduler",
    .default_spacing = BR_SPACING_LINSPACE,
    .takes_sigmas = true,
    .evaluations_per_step = 2,
    .history_rows = 1,
    .plan = plan_heun,
};
