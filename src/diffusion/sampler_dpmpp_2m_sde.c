/* SDE-DPM-Solver++(2M), midpoint: Lu et al. 2022, section 6 (the stochastic differential equation solved as algorithm 2 does the
 * ordinary one), as diffusers' DPMSolverMultistepScheduler with algorithm_type "sde-dpmsolver++". */
#include <math.h>

#include "diffusion/vp_ladder.h"

/* As in sampler_dpmpp_2m.c, with the noise that the equation adds on the way; eta as in k-diffusion's sample_dpmpp_2m_sde:
 * x ← (sigma_to alpha_to) / (sigma alpha) · exp(-eta h) · x + alpha_to · (1 - exp(-(1 + eta) h)) · (m0 + (m0 - m1) / (2 r))
 *     + sigma_to alpha_to · sqrt(1 - exp(-2 eta h)) · noise. */
static void plan_step(const br_sampler_params *params, const br_vp_ladder *ladder, int i, br_sampler_step *step)
{
    double sigma = ladder->sigmas[i], to = ladder->sigmas[i + 1];
    double alpha = br_vp_alpha(sigma), alpha_to = br_vp_alpha(to), decay = pow(to / sigma, params->eta); /* exp(-eta h) */
    br_linear x0 = br_vp_ladder_evaluate(params, ladder, i, step);
    double from_m0 = alpha_to * (1 - to / sigma * decay), from_m1 = 0;
    if (br_sampler_steps_before(params, i) > 0 && !br_vp_lower_order(&params->schedule->params, i, params->steps)) {
        double r = log(ladder->sigmas[i - 1] / sigma) / log(sigma / to);
        from_m1 = -from_m0 / (2 * r);
        from_m0 -= from_m1;
    }
    step->x_scale = to * alpha_to / (sigma * alpha) * decay + from_m0 * x0.x;
    step->out_scale = from_m0 * x0.out;
    step->history_scale[0] = from_m1;
    step->noise_scale = params->s_noise * to * alpha_to * sqrt(1 - decay * decay);
}

static br_status plan_dpmpp_2m_sde(const br_sampler_params *params, br_sampler_plan *plan)
{
    br_vp_ladder ladder;
    BR_TRY(br_vp_ladder_init(params, &br_sampler_info_dpmpp_2m_sde, (br_vp_ladder_style){0}, &ladder));
    for (int i = 0; i < params->steps; i++)
        plan_step(params, &ladder, i, &plan->evaluations[i]);
    plan->evaluation_count = params->steps;
    br_vp_ladder_finish(&ladder);
    return NULL;
}

const br_sampler_info br_sampler_info_dpmpp_2m_sde = {
    .name = "dpmpp_2m_sde",
    .label = "DPM++ 2M SDE",
    .aliases = {"dpm++_2m_sde", "dpm++2m_sde", "dpmpp2m_sde", "sde_dpmsolver++"},
    .default_spacing = BR_SPACING_LINSPACE,
    .takes_sigmas = true,
    .takes_eta = true,
    .takes_s_noise = true,
    .default_eta = 1,
    .evaluations_per_step = 1,
    .history_rows = 1,
    .plan = plan_dpmpp_2m_sde,
};
