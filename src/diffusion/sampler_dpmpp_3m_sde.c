/* SDE-DPM-Solver++(3M), as k-diffusion's sample_dpmpp_3m_sde: the exponential integrator of Lu et al. 2022 with the estimate of x_0
 * extrapolated through the last three. */
#include <math.h>

#include "diffusion/sigmas.h"

/* With lambda = -log(sigma), h = lambda_to - lambda, g = (1 + eta) h and phi_2 = (exp(-g) - 1) / g + 1, phi_3 = phi_2 / g - 1/2:
 * x ← exp(-g) · x + (1 - exp(-g)) · m0 + phi_2 · d1 - phi_3 · d2 + sigma_to · sqrt(1 - exp(-2 eta h)) · noise,
 * d1 and d2 being the first and second derivatives in lambda / h by divided differences. m_k lies in row (i - k) % 2. */
static void plan_step(const br_sampler_params *params, const double *sigmas, int i, br_sampler_step *step)
{
    double h = log(sigmas[i] / sigmas[i + 1]), g = (1 + params->eta) * h;
    double decay = exp(-g), phi_2 = expm1(-g) / g + 1, phi_3 = phi_2 / g - 0.5;
    double m[3] = {1 - decay};
    int before = br_sampler_steps_before(params, i);
    if (before > 0) {
        double r0 = log(sigmas[i - 1] / sigmas[i]) / h;
        double first = phi_2 / r0; /* of m0 - m1 */
        if (before > 1) {
            double r1 = log(sigmas[i - 2] / sigmas[i - 1]) / h;
            double bend = (phi_2 * r0 - phi_3) / (r0 + r1); /* of (m0 - m1) / r0 - (m1 - m2) / r1 */
            first += bend / r0;
            m[1] -= bend / r1;
            m[2] += bend / r1;
        }
        m[0] += first;
        m[1] -= first;
        step->history_scale[(i - 1) % 2] = m[1];
        step->history_scale[i % 2] = m[2];
    }
    step->x_scale = decay + m[0] * step->x0_x;
    step->out_scale = m[0] * step->x0_out;
    step->noise_scale = params->s_noise * sigmas[i + 1] * sqrt(-expm1(-2 * params->eta * h));
}

static br_status plan_dpmpp_3m_sde(const br_sampler_params *params, br_sampler_plan *plan)
{
    br_sigma_ladder ladder;
    BR_TRY(br_sigma_ladder_init(params, &br_sampler_info_dpmpp_3m_sde, &ladder));
    ladder.sigmas[params->steps] = 0; /* at the end the estimate itself, whatever the schedule's final sigma */
    for (int i = 0; i < params->steps; i++) {
        br_sampler_step *step = &plan->evaluations[i];
        br_sigma_ladder_evaluate(params, &ladder, i, step);
        step->h_x = step->x_scale = step->x0_x;
        step->h_out = step->out_scale = step->x0_out;
        step->history_slot = (uint32_t)(i % 2);
        step->ends_step = true;
        if (i + 1 < params->steps)
            plan_step(params, ladder.sigmas, i, step);
    }
    plan->evaluation_count = params->steps;
    plan->init_noise_sigma = ladder.init_noise_sigma;
    br_sigma_ladder_finish(&ladder);
    return NULL;
}

const br_sampler_info br_sampler_info_dpmpp_3m_sde = {
    .name = "dpmpp_3m_sde",
    .label = "DPM++ 3M SDE",
    .aliases = {"dpm++_3m_sde", "dpm++3m_sde", "dpmpp3m_sde"},
    .default_spacing = BR_SPACING_LINSPACE,
    .takes_sigmas = true,
    .takes_eta = true,
    .takes_s_noise = true,
    .default_eta = 1,
    .evaluations_per_step = 1,
    .history_rows = 2,
    .plan = plan_dpmpp_3m_sde,
};
