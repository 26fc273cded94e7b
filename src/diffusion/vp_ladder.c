#include "diffusion/vp_ladder.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "diffusion/sigma_curve.h"

/* From this many steps on the last step is of full order too, but for sigma 0. */
#define LOWER_ORDER_BELOW 15

/* Timesteps with log(alpha / sigma) at or above lambda_min: the cosine schedule's last ones are too close to pure noise. */
static int reachable_timesteps(const br_schedule *schedule)
{
    int n = schedule->params.timesteps;
    while (n > 1 && -log(schedule->sigma[n - 1]) < schedule->params.lambda_min)
        n--;
    return n;
}

/* One interval more than the other samplers have: timestep 0 (plus the offset) is where the run ends, not visited. */
static br_status discrete_timesteps(const br_schedule *schedule, br_spacing spacing, int steps, double *out_timesteps)
{
    int last = reachable_timesteps(schedule), n = schedule->params.timesteps;
    double trailing_gap = (last - (double)n / steps) - last;
    for (int i = 0; i < steps; i++) {
        double t;
        if (spacing == BR_SPACING_LEADING)
            t = (double)(steps - i) * (last / (steps + 1)) + schedule->params.steps_offset;
        else if (spacing == BR_SPACING_TRAILING)
            t = rint(last + i * trailing_gap) - 1;
        else
            t = i == 0 ? last - 1 : rint((steps - i) * ((double)(last - 1) / steps));
        if (!(t >= 0 && t <= n - 1))
            return br_fail(BR_ERROR_ARGUMENT, "%d steps with %s spacing and steps_offset %d visit timestep %g, outside 0 to %d",
                           steps, br_spacing_name(spacing), schedule->params.steps_offset, t, n - 1);
        out_timesteps[i] = t;
    }
    return NULL;
}

/* diffusers makes whole numbers of these; what it does not have is shown as it is. */
static double timestep_of(const br_sampler_params *params, const br_sampler_info *info, double sigma)
{
    double t = br_timestep_of_sigma(params->schedule, sigma);
    if (params->sigmas == BR_SIGMAS_KARRAS)
        return info->rounds_karras || params->schedule->params.beta_schedule != BR_BETA_SQUAREDCOS ? rint(t) : floor(t);
    return params->sigmas == BR_SIGMAS_EXPONENTIAL || params->sigmas == BR_SIGMAS_BETA ? floor(t) : t;
}

static br_status visit(const br_sampler_params *params, const br_sampler_info *info, br_vp_ladder_style style, br_vp_ladder *ladder)
{
    const br_schedule *schedule = params->schedule;
    int steps = params->steps, n = schedule->params.timesteps;
    double *sigmas = ladder->sigmas, *timesteps = ladder->timesteps;
    if (params->sigmas != BR_SIGMAS_DISCRETE) {
        br_sigma_curve(params->sigmas, schedule, schedule->sigma[n - 1], schedule->sigma[0], steps, sigmas);
        for (int i = 0; i < steps; i++)
            timesteps[i] = timestep_of(params, info, sigmas[i]);
    } else {
        BR_TRY(discrete_timesteps(schedule, br_sampler_spacing(params, info), steps, timesteps));
        for (int i = 0; i < steps; i++)
            sigmas[i] = br_sigma_at(schedule, timesteps[i]);
    }
    for (int i = 0; i < steps; i++) {
        sigmas[i] = (double)(float)sigmas[i];
        if (i > 0 && !(sigmas[i] < sigmas[i - 1])) /* the step between them would be divided by */
            return br_fail(BR_ERROR_ARGUMENT, "%d steps are too many for sampler %s on a schedule of %d timesteps", steps,
                           info->name, n);
    }
    bool flat = style.ends_flat && params->sigmas != BR_SIGMAS_DISCRETE;
    double least = flat ? sigmas[steps - 1] : schedule->sigma[0];
    sigmas[steps] = style.never_zero || schedule->params.final_sigma_min ? least : 0;
    return NULL;
}

br_status br_vp_ladder_init(const br_sampler_params *params, const br_sampler_info *info, br_vp_ladder_style style,
                            br_vp_ladder *out_ladder)
{
    memset(out_ladder, 0, sizeof *out_ladder);
    double *values = malloc(((size_t)params->steps * 2 + 1) * sizeof *values);
    if (!values)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "no memory for %d sampling steps", params->steps);
    br_vp_ladder ladder = {.sigmas = values, .timesteps = values + params->steps + 1};
    br_status status = visit(params, info, style, &ladder);
    if (status) {
        free(values);
        return status;
    }
    *out_ladder = ladder;
    return NULL;
}

void br_vp_ladder_finish(br_vp_ladder *ladder)
{
    free(ladder->sigmas);
    memset(ladder, 0, sizeof *ladder);
}

double br_vp_alpha(double sigma)
{
    return 1 / sqrt(sigma * sigma + 1);
}

br_linear br_vp_ladder_evaluate(const br_sampler_params *params, const br_vp_ladder *ladder, int index, br_sampler_step *step)
{
    double sigma = ladder->sigmas[index], alpha = br_vp_alpha(sigma);
    br_linear x0 = br_x0_from_alpha_bar(params->schedule->params.prediction, alpha * alpha);
    step->timestep = ladder->timesteps[index];
    step->input_scale = 1;
    step->h_x = step->x0_x = x0.x;
    step->h_out = step->x0_out = x0.out;
    step->sigma = sigma;
    step->ends_step = true;
    return x0;
}

bool br_vp_lower_order(const br_schedule_params *schedule, int index, int steps)
{
    return index == steps - 1 &&
           (schedule->euler_at_final || (schedule->lower_order_final && steps < LOWER_ORDER_BELOW) || !schedule->final_sigma_min);
}
