/* DPM2 with ancestral steps: DPM-Solver-2 down to a lower sigma, then noise back up to the wanted one, as diffusers'
 * KDPM2AncestralDiscreteScheduler and, for eta and s_noise, k-diffusion's sample_dpm_2_ancestral. */
#include <math.h>

#include "diffusion/sigmas.h"

static br_status plan_dpm2_a(const br_sampler_params *params, br_sampler_plan *plan)
{
    br_sigma_ladder ladder;
    BR_TRY(br_sigma_ladder_init(params, &br_sampler_info_dpm2_a, &ladder));
    ladder.sigmas[params->steps] = 0; /* an ancestral run ends without noise, whatever the schedule's final sigma */
    br_sampler_step *step = plan->evaluations;
    for (int i = 0; i < params->steps; i++) {
        double from = ladder.sigmas[i];
        br_ancestral aims = br_ancestral_split(from, ladder.sigmas[i + 1], params->eta);
        double middle = sqrt(from * aims.down);
        br_linear derivative = br_sigma_ladder_evaluate(params, &ladder, i, step);
        step->x_scale = 1 + (middle - from) * derivative.x;
        step->out_scale = (middle - from) * derivative.out;
        step->h_x = 1;
        if (aims.down > 0) {
            step++;
            derivative = br_sigma_evaluate(params, middle, br_timestep_of_sigma(params->schedule, middle), step);
            step->x_scale = (aims.down - from) * derivative.x;
            step->out_scale = (aims.down - from) * derivative.out;
            step->history_scale[0] = 1;
        }
        step->noise_scale = params->s_noise * aims.up;
        step++->ends_step = true;
    }
    plan->evaluation_count = (int)(step - plan->evaluations);
    plan->init_noise_sigma = ladder.init_noise_sigma;
    br_sigma_ladder_finish(&ladder);
    return NULL;
}

const br_sampler_info br_sampler_info_dpm2_a = {
    .name = "dpm2_a",
    .label = "DPM2 a",
    .aliases = {"dpm2_ancestral", "dpm_2_ancestral", "dpm_2_a"},
    .class_name = "KDPM2AncestralDiscreteScheduler",
    .default_spacing = BR_SPACING_LINSPACE,
    .takes_sigmas = true,
    .rounds_karras = true,
    .takes_eta = true,
    .takes_s_noise = true,
    .default_eta = 1,
    .evaluations_per_step = 2,
    .history_rows = 1,
    .plan = plan_dpm2_a,
};
