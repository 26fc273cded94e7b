/* DPM-Solver++(2S) on the stochastic differential equation, r = 1/2, as k-diffusion's sample_dpmpp_sde and diffusers'
 * DPMSolverSDEScheduler: an ancestral step to the midpoint in log(sigma), then the whole step with the estimate found there.
 *
 * Both steps read one Brownian motion in sigma. Its increment over the first half is the first evaluation's noise; the one over the whole
 * step is made of that and of the second evaluation's noise. What is remembered of the first evaluation is chosen so that
 * history + kappa · x contains the noise that is in x. */
#include <math.h>

#include "diffusion/sigmas.h"

/* A step from sigma[0] over sigma[1] to sigma[2] > 0; `step` is the first of its two evaluations, already at sigma[0]. */
static void plan_halves(const br_sampler_params *params, const double *sigma, br_sampler_step *step)
{
    br_ancestral half = br_ancestral_split(sigma[0], sigma[1], params->eta);
    br_ancestral whole = br_ancestral_split(sigma[0], sigma[2], params->eta);
    double half_ratio = half.down / sigma[0], ratio = whole.down / sigma[0];
    double first_share = sqrt((sigma[0] - sigma[1]) / (sigma[0] - sigma[2]));
    double second_share = sqrt((sigma[1] - sigma[2]) / (sigma[0] - sigma[2]));
    double kappa = half.up > 0 ? whole.up * first_share / half.up : 0;

    step->x_scale = half_ratio + (1 - half_ratio) * step->x0_x;
    step->out_scale = (1 - half_ratio) * step->x0_out;
    step->noise_scale = params->s_noise * half.up;
    /* ratio · x + kappa · (half.up · noise), with half.up · noise = x_middle - x_scale · x - out_scale · out */
    step->h_x = ratio - kappa * step->x_scale;
    step->h_out = -kappa * step->out_scale;

    step++;
    br_sigma_evaluate(params, sigma[1], br_timestep_of_sigma(params->schedule, sigma[1]), step);
    step->x_scale = kappa + (1 - ratio) * step->x0_x;
    step->out_scale = (1 - ratio) * step->x0_out;
    step->history_scale[0] = 1;
    step->noise_scale = params->s_noise * whole.up * second_share;
    step->ends_step = true;
}

static br_status plan_dpmpp_sde(const br_sampler_params *params, br_sampler_plan *plan)
{
    br_sigma_ladder ladder;
    BR_TRY(br_sigma_ladder_init(params, &br_sampler_info_dpmpp_sde, &ladder));
    ladder.sigmas[params->steps] = 0; /* as diffusers' class ends, whatever the schedule's final sigma */
    br_sampler_step *step = plan->evaluations;
    for (int i = 0; i < params->steps; i++) {
        double from = ladder.sigmas[i], to = ladder.sigmas[i + 1];
        br_sigma_ladder_evaluate(params, &ladder, i, step);
        if (to > 0) {
            plan_halves(params, (double[]){from, sqrt(from * to), to}, step);
            step += 2;
        } else {
            step->x_scale = step->x0_x;
            step->out_scale = step->x0_out;
            step++->ends_step = true;
        }
    }
    plan->evaluation_count = (int)(step - plan->evaluations);
    plan->init_noise_sigma = ladder.init_noise_sigma;
    br_sigma_ladder_finish(&ladder);
    return NULL;
}

const br_sampler_info br_sampler_info_dpmpp_sde = {
    .name = "dpmpp_sde",
    .label = "DPM++ SDE",
    .aliases = {"dpm++_sde", "dpm++sde"},
    .class_name = "DPMSolverSDEScheduler",
    .default_spacing = BR_SPACING_LINSPACE,
    .takes_sigmas = true,
    .double_timesteps = true,
    .takes_eta = true,
    .takes_s_noise = true,
    .default_eta = 1,
    .evaluations_per_step = 2,
    .history_rows = 1,
    .plan = plan_dpmpp_sde,
};
