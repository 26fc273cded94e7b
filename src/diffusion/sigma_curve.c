#include "diffusion/sigma_curve.h"

#include <math.h>

#include "diffusion/beta_quantile.h"
#include "diffusion/sigmas.h"

#define KARRAS_RHO 7.0
/* Both parameters of the beta distribution, as diffusers and AUTOMATIC1111 set them. */
#define BETA_SHAPE 0.6

/* Sabour, Fidler and Kreis, "Align Your Steps: Optimizing Sampling Schedules in Diffusion Models" (2024): the levels for 10 steps
 * that the authors published for each family; other numbers of steps interpolate log(sigma), as they say to. */
#define AYS_LEVELS 11
static const double ays_sd15[AYS_LEVELS] = {14.615, 6.475, 3.861, 2.697, 1.886, 1.396, 0.963, 0.652, 0.399, 0.152, 0.029};
static const double ays_sdxl[AYS_LEVELS] = {14.615, 6.315, 3.771, 2.181, 1.342, 0.862, 0.555, 0.380, 0.234, 0.113, 0.029};

static double along_table(const double *table, double place)
{
    double at = place * (AYS_LEVELS - 1);
    int low = at < AYS_LEVELS - 2 ? (int)at : AYS_LEVELS - 2;
    return exp(log(table[low]) + (at - low) * (log(table[low + 1]) - log(table[low])));
}

/* The training schedule's sigma at a fractional timestep, by interpolation in log(sigma) as k-diffusion does. */
static double log_sigma_at(const br_schedule *schedule, double timestep)
{
    int low = (int)timestep, last = schedule->params.timesteps - 1;
    if (low >= last)
        return schedule->sigma[last];
    double from = log(schedule->sigma[low]), to = log(schedule->sigma[low + 1]);
    return exp(from + (timestep - low) * (to - from));
}

/* `place`: 0 at the first step, 1 at the last. */
static double level(br_sigmas kind, double max, double min, double place)
{
    switch (kind) {
    case BR_SIGMAS_KARRAS: {
        double from = pow(max, 1 / KARRAS_RHO), to = pow(min, 1 / KARRAS_RHO);
        return pow(from + place * (to - from), KARRAS_RHO);
    }
    case BR_SIGMAS_EXPONENTIAL:
        return exp(log(max) + place * (log(min) - log(max)));
    case BR_SIGMAS_BETA:
        return min + br_beta_quantile(1 - place, BETA_SHAPE, BETA_SHAPE) * (max - min);
    case BR_SIGMAS_AYS:
        return along_table(ays_sd15, place);
    default:
        return along_table(ays_sdxl, place);
    }
}

void br_sigma_curve(br_sigmas kind, const br_schedule *schedule, double max, double min, int steps, double *out_sigmas)
{
    int n = schedule->params.timesteps;
    for (int i = 0; i < steps; i++) {
        if (kind == BR_SIGMAS_SGM_UNIFORM) /* the last of steps + 1 equal distances leads to 0 */
            out_sigmas[i] = log_sigma_at(schedule, (double)(steps - i) * (n - 1) / steps);
        else if (kind == BR_SIGMAS_SIMPLE)
            out_sigmas[i] = schedule->sigma[n - 1 - (int)(i * ((double)n / steps))];
        else
            out_sigmas[i] = level(kind, max, min, steps == 1 ? 0 : (double)i / (steps - 1));
    }
}
