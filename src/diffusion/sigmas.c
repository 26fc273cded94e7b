#include "diffusion/sigmas.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "diffusion/sigma_curve.h"

/* diffusers takes the logarithm of no less than this. */
#define MIN_SIGMA 1e-10

br_status br_timesteps(const br_schedule *schedule, br_spacing spacing, int steps, bool rounded, double *out_timesteps)
{
    int n = schedule->params.timesteps;
    double trailing_gap = (n - (double)n / steps) - n; /* negative; the difference that numpy.arange steps by */
    for (int i = 0; i < steps; i++) {
        int rest = steps - 1 - i;
        double t;
        if (spacing == BR_SPACING_LEADING) {
            t = (double)rest * (n / steps) + schedule->params.steps_offset;
        } else if (spacing == BR_SPACING_TRAILING) {
            t = rint(n + i * trailing_gap) - 1;
        } else {
            t = steps == 1 ? 0 : i == 0 ? n - 1 : rest * ((double)(n - 1) / (steps - 1));
            t = rounded ? rint(t) : t;
        }
        if (!(t >= 0 && t <= n - 1))
            return br_fail(BR_ERROR_ARGUMENT,
                           "%d steps with %s spacing and steps_offset %d begin at timestep %g, past the last one the model was "
                           "trained for (%d)",
                           steps, br_spacing_name(spacing), schedule->params.steps_offset, t, n - 1);
        out_timesteps[i] = t;
    }
    return NULL;
}

double br_sigma_at(const br_schedule *schedule, double timestep)
{
    int last = schedule->params.timesteps - 1;
    if (timestep >= last)
        return schedule->sigma[last];
    int low = (int)timestep;
    return schedule->sigma[low] + (schedule->sigma[low + 1] - schedule->sigma[low]) * (timestep - low);
}

static double log_sigma_at(const br_schedule *schedule, int t)
{
    return (double)(float)log(schedule->sigma[t]);
}

double br_timestep_of_sigma(const br_schedule *schedule, double sigma)
{
    int last = schedule->params.timesteps - 1;
    if (last == 0)
        return 0;
    double wanted = log(sigma > MIN_SIGMA ? sigma : MIN_SIGMA);
    int low = 0, high = last; /* log_sigma_at(low) <= wanted < log_sigma_at(high), where the schedule reaches so far */
    while (high - low > 1) {
        int middle = low + (high - low) / 2;
        if (log_sigma_at(schedule, middle) <= wanted)
            low = middle;
        else
            high = middle;
    }
    double from = log_sigma_at(schedule, low), to = log_sigma_at(schedule, low + 1);
    double weight = to > from ? (wanted - from) / (to - from) : 0;
    weight = weight < 0 ? 0 : weight > 1 ? 1 : weight;
    return (1 - weight) * low + weight * (low + 1);
}

br_status br_sigma_ladder_init(const br_sampler_params *params, const br_sampler_info *info, br_sigma_ladder *out_ladder)
{
    const br_schedule *schedule = params->schedule;
    br_spacing spacing = br_sampler_spacing(params, info);
    int steps = params->steps;
    memset(out_ladder, 0, sizeof *out_ladder);
    double *values = malloc(((size_t)steps * 2 + 1) * sizeof *values);
    if (!values)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "no memory for %d sampling steps", steps);
    double *sigmas = values, *timesteps = values + steps + 1;
    br_status status = br_timesteps(schedule, spacing, steps, false, timesteps);
    if (status) {
        free(values);
        return status;
    }
    for (int i = 0; i < steps; i++) {
        if (!info->double_timesteps)
            timesteps[i] = (double)(float)timesteps[i];
        sigmas[i] = br_sigma_at(schedule, timesteps[i]);
    }
    if (params->sigmas != BR_SIGMAS_DISCRETE) {
        bool whole = params->sigmas == BR_SIGMAS_KARRAS && info->rounds_karras;
        br_sigma_curve(params->sigmas, schedule, sigmas[0], sigmas[steps - 1], steps, sigmas);
        for (int i = 0; i < steps; i++) {
            double t = br_timestep_of_sigma(schedule, sigmas[i]);
            timesteps[i] = whole ? rint(t) : info->double_timesteps ? t : (double)(float)t;
        }
    }
    for (int i = 0; i < steps; i++)
        sigmas[i] = (double)(float)sigmas[i];
    sigmas[steps] = schedule->params.final_sigma_min ? schedule->sigma[0] : 0;

    *out_ladder = (br_sigma_ladder){.sigmas = sigmas, .timesteps = timesteps, .init_noise_sigma = sigmas[0]};
    /* "leading" does not begin at the last timestep: x_T is given the variance that it has there, signal included. */
    if (spacing == BR_SPACING_LEADING)
        out_ladder->init_noise_sigma = sqrt(sigmas[0] * sigmas[0] + 1);
    return NULL;
}

void br_sigma_ladder_finish(br_sigma_ladder *ladder)
{
    free(ladder->sigmas);
    memset(ladder, 0, sizeof *ladder);
}

br_linear br_sigma_evaluate(const br_sampler_params *params, double sigma, double timestep, br_sampler_step *step)
{
    br_linear x0 = br_x0_from_sigma(params->schedule->params.prediction, sigma);
    step->timestep = timestep;
    step->input_scale = 1 / sqrt(sigma * sigma + 1);
    step->sigma = sigma;
    step->x0_x = x0.x;
    step->x0_out = x0.out;
    return (br_linear){(1 - x0.x) / sigma, -x0.out / sigma};
}

br_linear br_sigma_ladder_evaluate(const br_sampler_params *params, const br_sigma_ladder *ladder, int index, br_sampler_step *step)
{
    return br_sigma_evaluate(params, ladder->sigmas[index], ladder->timesteps[index], step);
}

br_ancestral br_ancestral_split(double from, double to, double eta)
{
    double up2 = eta * eta * to * to * (from * from - to * to) / (from * from);
    up2 = up2 > to * to ? to * to : up2 > 0 ? up2 : 0;
    return (br_ancestral){.down = sqrt(to * to - up2), .up = sqrt(up2)};
}
