/* DPM-Solver++(2M), midpoint: Lu et al., "DPM-Solver++: Fast Solver for Guided Sampling of Diffusion Probabilistic Models" (2022),
 * algorithm 2; timesteps and order at the ends as diffusers' DPMSolverMultistepScheduler. */
#include <math.h>
#include <stdlib.h>

#include "diffusion/sigmas.h"

/* From this many steps on the last step but for sigma 0 is second order too. */
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

/* sigmas: [steps + 1], the last being where the run ends. */
static br_status visit(const br_sampler_params *params, double *timesteps, double *sigmas)
{
    const br_schedule *schedule = params->schedule;
    int steps = params->steps, n = schedule->params.timesteps;
    if (params->sigmas == BR_SIGMAS_KARRAS) {
        br_karras_sigmas(schedule->sigma[n - 1], schedule->sigma[0], steps, sigmas);
        for (int i = 0; i < steps; i++) {
            double t = br_timestep_of_sigma(schedule, sigmas[i]);
            timesteps[i] = schedule->params.beta_schedule == BR_BETA_SQUAREDCOS ? floor(t) : rint(t);
        }
    } else {
        BR_TRY(discrete_timesteps(schedule, br_sampler_spacing(params, &br_sampler_info_dpmpp_2m), steps, timesteps));
        for (int i = 0; i < steps; i++)
            sigmas[i] = br_sigma_at(schedule, timesteps[i]);
    }
    for (int i = 0; i < steps; i++) {
        sigmas[i] = (double)(float)sigmas[i];
        if (i > 0 && !(sigmas[i] < sigmas[i - 1])) /* the step between them would be divided by */
            return br_fail(BR_ERROR_ARGUMENT, "%d steps are too many for sampler dpmpp_2m on a schedule of %d timesteps", steps, n);
    }
    sigmas[steps] = schedule->params.final_sigma_min ? schedule->sigma[0] : 0;
    return NULL;
}

static bool first_order(const br_schedule_params *schedule, int index, int steps)
{
    bool final_first =
        schedule->euler_at_final || (schedule->lower_order_final && steps < LOWER_ORDER_BELOW) || !schedule->final_sigma_min;
    return index == 0 || (index == steps - 1 && final_first);
}

/* With alpha = 1 / sqrt(sigma² + 1) and lambda = log(1 / sigma); m0 and m1 are the x_0 estimates of this and the last step:
 * x ← (sigma_to alpha_to) / (sigma alpha) · x - alpha_to · (exp(-h) - 1) · (m0 + (m0 - m1) / (2 r)),
 * h = lambda_to - lambda, r = (lambda - lambda_before) / h. */
static void plan_step(const br_sampler_params *params, const double *sigmas, int i, br_sampler_step *step)
{
    double sigma = sigmas[i], to = sigmas[i + 1];
    double alpha = 1 / sqrt(sigma * sigma + 1), alpha_to = 1 / sqrt(to * to + 1);
    br_linear x0 = br_x0_from_alpha_bar(params->schedule->params.prediction, alpha * alpha);
    double from_x = to * alpha_to / (sigma * alpha);
    double from_m0 = alpha_to * (1 - to / sigma); /* exp(-h) = to / sigma, also at to = 0 */
    double from_m1 = 0;
    if (!first_order(&params->schedule->params, i, params->steps)) {
        double r = log(sigmas[i - 1] / sigma) / log(sigma / to);
        from_m1 = -from_m0 / (2 * r);
        from_m0 -= from_m1;
    }
    step->input_scale = 1;
    step->x_scale = from_x + from_m0 * x0.x;
    step->out_scale = from_m0 * x0.out;
    step->history_scale[0] = from_m1;
    step->h_x = step->x0_x = x0.x;
    step->h_out = step->x0_out = x0.out;
    step->sigma = sigma;
    step->ends_step = true;
}

static br_status plan_dpmpp_2m(const br_sampler_params *params, br_sampler_plan *plan)
{
    int steps = params->steps;
    double *values = malloc(((size_t)steps * 2 + 1) * sizeof *values);
    if (!values)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "no memory for %d sampling steps", steps);
    double *sigmas = values, *timesteps = values + steps + 1;
    br_status status = visit(params, timesteps, sigmas);
    for (int i = 0; i < steps && !status; i++) {
        plan->evaluations[i].timestep = timesteps[i];
        plan_step(params, sigmas, i, &plan->evaluations[i]);
    }
    plan->evaluation_count = steps;
    free(values);
    return status;
}

const br_sampler_info br_sampler_info_dpmpp_2m = {
    .name = "dpmpp_2m",
    .label = "DPM++ 2M",
    .aliases = {"dpm++_2m", "dpm++2m", "dpmpp2m", "dpmsolver++"},
    .class_name = "DPMSolverMultistepScheduler",
    .default_spacing = BR_SPACING_LINSPACE,
    .takes_karras = true,
    .evaluations_per_step = 1,
    .history_rows = 1,
    .plan = plan_dpmpp_2m,
};
