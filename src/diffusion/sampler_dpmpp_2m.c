/* DPM-Solver++(2M), midpoint: Lu et al., "DPM-Solver++: Fast Solver for Guided Sampling of Diffusion Probabilistic Models" (2022),
 * algorithm 2; timesteps and order at the ends as diffusers' DPMSolverMultistepScheduler. */
#include <math.h>

#include "diffusion/vp_ladder.h"

/* With alpha = 1 / sqrt(sigma² + 1) and lambda = log(1 / sigma); m0 and m1 are the x_0 estimates of this and the last step:
 * x ← (sigma_to alpha_to) / (sigma alpha) · x - alpha_to · (exp(-h) - 1) · (m0 + (m0 - m1) / (2 r)),
 * h = lambda_to - lambda, r = (lambda - lambda_before) / h. */
static void plan_step(const br_sampler_params *params, const br_vp_ladder *ladder, int i, br_sampler_step *step)
{
    double sigma = ladder->sigmas[i], to = ladder->sigmas[i + 1];
    double alpha = br_vp_alpha(sigma), alpha_to = br_vp_alpha(to);
    br_linear x0 = br_vp_ladder_evaluate(params, ladder, i, step);
    double from_m0 = alpha_to * (1 - to / sigma); /* exp(-h) = to / sigma, also at to = 0 */
    double from_m1 = 0;
    if (br_sampler_steps_before(params, i) > 0 && !br_vp_lower_order(&params->schedule->params, i, params->steps)) {
        double r = log(ladder->sigmas[i - 1] / sigma) / log(sigma / to);
        from_m1 = -from_m0 / (2 * r);
        from_m0 -= from_m1;
    }
    step->x_scale = to * alpha_to / (sigma * alpha) + from_m0 * x0.x;
    step->out_scale = from_m0 * x0.out;
    step->history_scale[0] = from_m1;
}

static br_status plan_dpmpp_2m(const br_sampler_params *params, br_sampler_plan *plan)
{
    br_vp_ladder ladder;
    BR_TRY(br_vp_ladder_init(params, &br_sampler_info_dpmpp_2m, (br_vp_ladder_style){0}, &ladder));
    for (int i = 0; i < params->steps; i++)
        plan_step(params, &ladder, i, &plan->evaluations[i]);
    plan->evaluation_count = params->steps;
    br_vp_ladder_finish(&ladder);
    return NULL;
}

const br_sampler_info br_sampler_info_dpmpp_2m = {
    .name = "dpmpp_2m",
    .label = "DPM++ 2M",
    .aliases = {"dpm++_2m", "dpm++2m", "dpmpp2m", "dpmsolver++"},
    .class_name = "DPMSolverMultistepScheduler",
    .default_spacing = BR_SPACING_LINSPACE,
    .takes_sigmas = true,
    .evaluations_per_step = 1,
    .history_rows = 1,
    .plan = plan_dpmpp_2m,
};
