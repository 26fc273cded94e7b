/* The noise levels of the schedules that are not the training schedule's own. Private to src/diffusion. */
#ifndef BR_DIFFUSION_SIGMA_CURVE_H
#define BR_DIFFUSION_SIGMA_CURVE_H

#include "diffusion/sampler_info.h"

/* out_sigmas[steps], falling. Karras, exponential and beta run from `max` to `min`; the others have their own ends. `kind` is neither
 * BR_SIGMAS_DEFAULT nor BR_SIGMAS_DISCRETE. */
void br_sigma_curve(br_sigmas kind, const br_schedule *schedule, double max, double min, int steps, double *out_sigmas);

#endif
