/* IPNDM: Zhang and Chen 2022, the fourth-order variant of PNDM begun at lower order, as diffusers' IPNDMScheduler steps. That class
 * has timesteps of its own, for models on a continuous time; here its steps are taken along the model's own noise levels, where
 * alpha_to · (x - sigma · e) / alpha + sigma_to · e is Euler's step of x / alpha. */
#include "diffusion/sigmas.h"

static br_status plan_ipndm(const br_sampler_params *params, br_sampler_plan *plan)
{
    br_sigma_ladder ladder;
    BR_TRY(br_sigma_ladder_init(params, &br_sampler_info_ipndm, &ladder));
    ladder.sigmas[params->steps] = 0;         /* as the class ends, whatever the schedule's final sigma */
    for (int i = 0; i < params->steps; i++) { /* derivative i lies in row i % BR_SAMPLER_HISTORY */
        br_sampler_step *step = &plan->evaluations[i];
        int before = br_sampler_steps_before(params, i), order = before < BR_SAMPLER_HISTORY ? before : BR_SAMPLER_HISTORY - 1;
        const double *weights = br_adams_bashforth[order];
        br_linear derivative = br_sigma_ladder_evaluate(params, &ladder, i, step);
        double delta = ladder.sigmas[i + 1] - ladder.sigmas[i];
        step->x_scale = 1 + delta * weights[0] * derivative.x;
        step->out_scale = delta * weights[0] * derivative.out;
        for (int k = 1; k <= order; k++)
            step->history_scale[(i - k) % BR_SAMPLER_HISTORY] = delta * weights[k];
        step->h_x = derivative.x;
        step->h_out = derivative.out;
        step->history_slot = (uint32_t)(i % BR_SAMPLER_HISTORY);
        step->ends_step = true;
    }
    plan->evaluation_count = params->steps;
    plan->init_noise_sigma = ladder.init_noise_sigma;
    br_sigma_ladder_finish(&ladder);
    return NULL;
}

const br_sampler_info br_sampler_info_ipndm = {
    .name = "ipndm",
    .label = "IPNDM",
    .default_spacing = BR_SPACING_LINSPACE,
    .takes_sigmas = true,
    .evaluations_per_step = 1,
    .history_rows = BR_SAMPLER_HISTORY,
    .plan = plan_ipndm,
};
