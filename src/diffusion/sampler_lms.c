/* Linear multistep (Adams-Bashforth on uneven steps) of order 4 in sigma, as Katherine Crowson's k-diffusion and diffusers'
 * LMSDiscreteScheduler: the polynomial through the last derivatives, integrated over the step. */
#include <math.h>

#include "diffusion/sigmas.h"

/* The integral of the Lagrange polynomial of derivative `which` (0: newest) of `order`, from sigmas[i] to sigmas[i + 1]. Two points of
 * Gauss-Legendre integrate cubics exactly. */
static double weight(const double *sigmas, int i, int order, int which)
{
    double from = sigmas[i], half = (sigmas[i + 1] - from) / 2, sum = 0;
    for (int side = -1; side <= 1; side += 2) {
        double at = from + half * (1 + side / sqrt(3)), product = 1;
        for (int k = 0; k < order; k++)
            if (k != which)
                product *= (at - sigmas[i - k]) / (sigmas[i - which] - sigmas[i - k]);
        sum += product;
    }
    return half * sum;
}

static br_status plan_lms(const br_sampler_params *params, br_sampler_plan *plan)
{
    br_sigma_ladder ladder;
    BR_TRY(br_sigma_ladder_init(params, &br_sampler_info_lms, &ladder));
    ladder.sigmas[params->steps] = 0;         /* as diffusers' class ends, whatever the schedule's final sigma */
    for (int i = 0; i < params->steps; i++) { /* derivative i lies in row i % BR_SAMPLER_HISTORY */
        br_sampler_step *step = &plan->evaluations[i];
        int before = br_sampler_steps_before(params, i);
        int order = before + 1 < BR_SAMPLER_HISTORY ? before + 1 : BR_SAMPLER_HISTORY;
        br_linear derivative = br_sigma_ladder_evaluate(params, &ladder, i, step);
        double newest = weight(ladder.sigmas, i, order, 0);
        step->x_scale = 1 + newest * derivative.x;
        step->out_scale = newest * derivative.out;
        for (int k = 1; k < order; k++)
            step->history_scale[(i - k) % BR_SAMPLER_HISTORY] = weight(ladder.sigmas, i, order, k);
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

const br_sampler_info br_sampler_info_lms = {
    .name = "lms",
    .label = "LMS",
    .class_name = "LMSDiscreteScheduler",
    .default_spacing = BR_SPACING_LINSPACE,
    .takes_sigmas = true,
    .evaluations_per_step = 1,
    .history_rows = BR_SAMPLER_HISTORY,
    .plan = plan_lms,
};
