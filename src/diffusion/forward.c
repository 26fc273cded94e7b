#include "diffusion/forward.h"

#include <math.h>

br_status br_forward_at(const br_schedule *schedule, int timestep, br_forward_scales *out_forward)
{
    if (timestep < 0 || timestep >= schedule->params.timesteps)
        return br_fail(BR_ERROR_ARGUMENT, "timestep %d is outside the schedule's 0 to %d", timestep,
                       schedule->params.timesteps - 1);
    double alpha_bar = schedule->alpha_bar[timestep];
    *out_forward = (br_forward_scales){.signal = sqrt(alpha_bar), .noise = sqrt(1 - alpha_bar)};
    return NULL;
}

double br_forward_snr(br_forward_scales forward)
{
    return forward.signal * forward.signal / (forward.noise * forward.noise);
}

void br_forward_sample(br_forward_scales forward, const float *x_0, const float *noise, size_t count, float *out_x_t)
{
    float signal = (float)forward.signal, scale = (float)forward.noise;
    for (size_t i = 0; i < count; i++)
        out_x_t[i] = signal * x_0[i] + scale * noise[i];
}

void br_forward_target(br_forward_scales forward, br_prediction prediction, const float *x_0, const float *noise, size_t count,
                       float *out_target)
{
    /* target = from_noise · noise + from_x_0 · x_0 */
    float from_noise = prediction == BR_PREDICTION_EPSILON ? 1 : prediction == BR_PREDICTION_V ? (float)forward.signal : 0;
    float from_x_0 = prediction == BR_PREDICTION_SAMPLE ? 1 : prediction == BR_PREDICTION_V ? -(float)forward.noise : 0;
    for (size_t i = 0; i < count; i++)
        out_target[i] = from_noise * noise[i] + from_x_0 * x_0[i];
}
