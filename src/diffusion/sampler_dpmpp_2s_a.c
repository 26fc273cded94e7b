/* DPM-Solver++(2S) (Lu et al. 2022, algorithm 1, r = 1/2) with ancestral steps, as k-diffusion's sample_dpmpp_2s_ancestral. */
#include <math.h>

#include "diffusion/sigmas.h"

static br_status plan_dpmpp_2s_a(const br_sampler_params *params, br_sampler_plan *plan)
{
    br_sigma_ladder ladder;
    BR_TRY(br_sigma_ladder_init(params, &br_sampler_info_dpmpp_2s_a, &ladder));
    ladder.sigmas[params->steps] = 0; /* an ancestral run ends without noise, whatever the schedule's final sigma */
    br_sampler_step *step = plan->evaluations;
    for (int i = 0; i < params->steps; i++) {
        double from = ladder.sigmas[i];
        br_ancestral aims = br_ancestral_split(from, ladder.sigmas[i + 1], params->eta);
        double middle = sqrt(from * aims.down); /* in log(sigma) */
        br_sigma_ladder_evaluate(params, &ladder, i, step);
        /* x ← ratio · x + (1 - ratio) · (estimate of x_0), ratio = sigma_to / sigma = exp(-h); to 0 at once at the end */
        double ratio = middle / from;
        step->x_scale = ratio + (1 - ratio) * step->x0_x;
        step->out_scale = (1 - ratio) * step->x0_out;
        step->h_x = 1;
        if (aims.down > 0) {
            step++;
            br_sigma_evaluate(params, middle, br_timestep_of_sigma(params->schedule, middle), step);
            ratio = aims.down / from;
            step->x_scale = (1 - ratio) * step->x0_x;
            step->out_scale = (1 - ratio) * step->x0_out;
            step->history_scale[0] = ratio;
        }
        step->noise_scale = params->s_noise * aims.up;
        step++->ends_step = true;
    }
    plan->evaluation_count = (int)(step - plan->evaluations);
    plan->init_noise_sigma = ladder.init_noise_sigma;
    br_sigma_ladder_finish(&ladder);
    return NULL;
}

const br_sampler_info br_sampler_info_dpmpp_2s_a = {
    .name = "dpmpp_2s_a",
    .label = "DPM++ 2S a",
    .aliases = {"dpm++_2s_a", "dpm++2s_a", "dpmpp_2s_ancestral", "dpmpp2s_a"},
    .default_spacing = BR_SPACING_LINSPACE,
    .takes_sigmas = true,
    .takes_eta = true,
    .takes_s_noise = true,
    .default_eta = 1,
    .evaluations_per_step = 2,
    .history_rows = 1,
    .plan = plan_dpmpp_2s_a,
};
