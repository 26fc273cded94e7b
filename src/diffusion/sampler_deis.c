/* DEIS: Zhang and Chen, "Fast Sampling of Diffusion Models with Exponential Integrator" (2022), multistep of order 2 with the noise
 * extrapolated in log(rho), rho = sigma, as diffusers' DEISMultistepScheduler. The run ends at the smallest sigma, not at 0. */
#include <math.h>

#include "diffusion/vp_ladder.h"

/* From this many steps on the last step is of full order too. */
#define LOWER_ORDER_BELOW 15

/* An antiderivative in `at` of the weight of the noise found at rho b beside that at rho c: log(at / c) / log(b / c). */
static double antiderivative(double at, double b, double c)
{
    return at * (log(at / c) - 1) / log(b / c);
}

static void plan_step(const br_sampler_params *params, const br_vp_ladder *ladder, int i, br_sampler_step *step)
{
    const br_schedule_params *schedule = &params->schedule->params;
    double rho = ladder->sigmas[i], to = ladder->sigmas[i + 1], before = i > 0 ? ladder->sigmas[i - 1] : 0;
    double alpha = br_vp_alpha(rho), alpha_to = br_vp_alpha(to);
    bool last = i == params->steps - 1 && schedule->lower_order_final && params->steps < LOWER_ORDER_BELOW;
    double newest = to - rho, older = 0; /* the integral over rho of the extrapolated noise */
    if (br_sampler_steps_before(params, i) > 0 && !last) {
        newest = antiderivative(to, rho, before) - antiderivative(rho, rho, before);
        older = antiderivative(to, before, rho) - antiderivative(rho, before, rho);
    }
    br_linear eps = br_eps_from_alpha_bar(schedule->prediction, alpha * alpha);
    br_vp_ladder_evaluate(params, ladder, i, step);
    step->x_scale = alpha_to * (1 / alpha + newest * eps.x);
    step->out_scale = alpha_to * newest * eps.out;
    step->history_scale[0] = alpha_to * older;
    step->h_x = eps.x;
    step->h_out = eps.out;
}

static br_status plan_deis(const br_sampler_params *params, br_sampler_plan *plan)
{
    br_vp_ladder ladder;
    br_vp_ladder_style style = {.ends_flat = true, .never_zero = true};
    BR_TRY(br_vp_ladder_init(params, &br_sampler_info_deis, style, &ladder));
    for (int i = 0; i < params->steps; i++)
        plan_step(params, &ladder, i, &plan->evaluations[i]);
    plan->evaluation_count = params->steps;
    br_vp_ladder_finish(&ladder);
    return NULL;
}

const br_sampler_info br_sampler_info_deis = {
    .name = "deis",
    .label = "DEIS",
    .class_name = "DEISMultistepScheduler",
    .default_spacing = BR_SPACING_LINSPACE,
    .takes_sigmas = true,
    .rounds_karras = true,
    .evaluations_per_step = 1,
    .history_rows = 1,
    .plan = plan_deis,
};
