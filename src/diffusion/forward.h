/* The forward process q(x_t | x_0) and what a model is trained to predict. */
#ifndef BR_DIFFUSION_FORWARD_H
#define BR_DIFFUSION_FORWARD_H

#include <stddef.h>

#include "diffusion/schedule.h"

/* x_t = signal · x_0 + noise · eps, signal² + noise² = 1. */
typedef struct br_forward_scales {
    double signal; /* sqrt(alpha_bar_t) */
    double noise;  /* sqrt(1 - alpha_bar_t) */
} br_forward_scales;

/* `timestep`: 0 .. timesteps - 1. Errors: BR_ERROR_ARGUMENT. */
BR_MUST_CHECK br_status br_forward_at(const br_schedule *schedule, int timestep, br_forward_scales *out_forward);

/* Signal-to-noise ratio alpha_bar / (1 - alpha_bar). */
double br_forward_snr(br_forward_scales forward);

/* out_x_t[count]; `out_x_t` may be `x_0` or `noise`. */
void br_forward_sample(br_forward_scales forward, const float *x_0, const float *noise, size_t count, float *out_x_t);

/* What the model's output should have been: the noise, v = signal · noise - noise · x_0, or x_0. `out_target` may be either input. */
void br_forward_target(br_forward_scales forward, br_prediction prediction, const float *x_0, const float *noise, size_t count,
                       float *out_target);

#endif
