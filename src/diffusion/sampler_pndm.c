/* PLMS: Liu et al., "Pseudo Numerical Methods for Diffusion Models on Manifolds" (2022), equations 9 and 12, begun without
 * Runge-Kutta steps as Stable Diffusion and diffusers' PNDMScheduler with skip_prk_steps do: the second timestep is visited twice.
 * What is extrapolated is the model's output, whatever it predicts. */
#include <math.h>
#include <stdlib.h>

#include "diffusion/sigmas.h"

/* Equation 9: x at timestep `to` from x and the output at timestep t. */
static br_linear transfer(const br_schedule *schedule, int t, int to)
{
    double alpha = schedule->alpha_bar[t];
    double alpha_to = to >= 0 ? schedule->alpha_bar[to] : br_schedule_last_alpha_bar(schedule, BR_ALPHA_END_FIRST);
    double from_eps = -(alpha_to - alpha) / (alpha * sqrt(1 - alpha_to) + sqrt(alpha * (1 - alpha) * alpha_to));
    br_linear eps = br_eps_from_alpha_bar(schedule->params.prediction, alpha);
    return (br_linear){sqrt(alpha_to / alpha) + from_eps * eps.x, from_eps * eps.out};
}

/* The step from timestep t, with as many outputs as there are: `index` before this one; the output of step k lies in row
 * k % BR_SAMPLER_HISTORY. */
static void plan_step(const br_schedule *schedule, int t, int gap, int index, br_sampler_step *step)
{
    int order = index < BR_SAMPLER_HISTORY ? index : BR_SAMPLER_HISTORY - 1;
    br_linear move = transfer(schedule, t, t - gap);
    br_vp_evaluate(schedule, t, step);
    step->x_scale = move.x;
    step->out_scale = move.out * br_adams_bashforth[order][0];
    for (int k = 1; k <= order; k++)
        step->history_scale[(index - k) % BR_SAMPLER_HISTORY] = move.out * br_adams_bashforth[order][k];
    step->h_out = 1;
    step->history_slot = (uint32_t)(index % BR_SAMPLER_HISTORY);
}

/* At timestep t, where the first step arrived: back to where it began and again with the mean of both outputs. */
static br_status plan_correction(const br_schedule *schedule, int t, int gap, const br_sampler_step *first, br_sampler_step *step)
{
    if (t + gap >= schedule->params.timesteps)
        return br_fail(BR_ERROR_ARGUMENT,
                       "sampler pndm would begin at timestep %d, past the last one the model was trained for (%d)", t + gap,
                       schedule->params.timesteps - 1);
    br_linear move = transfer(schedule, t + gap, t);
    double back = move.x / first->x_scale; /* x_old = (x - out_scale · history[0]) / x_scale */
    br_vp_evaluate(schedule, t, step);
    step->x_scale = back;
    step->out_scale = move.out / 2;
    step->history_scale[0] = move.out / 2 - back * first->out_scale;
    step->history_slot = BR_SAMPLER_HISTORY - 1; /* not to be remembered: a row that is written again before it is read */
    return NULL;
}

static br_status plan_pndm(const br_sampler_params *params, br_sampler_plan *plan)
{
    const br_schedule *schedule = params->schedule;
    int steps = params->steps, gap = schedule->params.timesteps / steps;
    double *timesteps = malloc((size_t)steps * sizeof *timesteps);
    if (!timesteps)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "no memory for %d sampling steps", steps);
    br_status status = br_timesteps(schedule, br_sampler_spacing(params, &br_sampler_info_pndm), steps, true, timesteps);
    br_sampler_step *step = plan->evaluations;
    for (int i = 0; i < steps && !status; i++) {
        plan_step(schedule, (int)timesteps[i], gap, br_sampler_steps_before(params, i), step++);
        if (i == params->begin && i + 1 < steps) {
            status = plan_correction(schedule, (int)timesteps[i + 1], gap, step - 1, step);
            step++;
        }
        step[-1].ends_step = true;
    }
    plan->evaluation_count = (int)(step - plan->evaluations);
    free(timesteps);
    return status;
}

const br_sampler_info br_sampler_info_pndm = {
    .name = "pndm",
    .label = "PLMS",
    .aliases = {"plms"},
    .class_name = "PNDMScheduler",
    .default_spacing = BR_SPACING_LEADING,
    .evaluations_per_step = 2,
    .history_rows = BR_SAMPLER_HISTORY,
    .plan = plan_pndm,
};
