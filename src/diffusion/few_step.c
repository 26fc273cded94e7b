#include "diffusion/few_step.h"

br_status br_few_step_timesteps(const br_sampler_params *params, const br_sampler_info *info, int *out_timesteps)
{
    const br_schedule *schedule = params->schedule;
    int original = schedule->params.original_steps, n = schedule->params.timesteps, steps = params->steps;
    if (original > n)
        original = n;
    if (steps > original)
        return br_fail(BR_ERROR_ARGUMENT, "steps is %d, but sampler %s knows only the %d that its models were distilled from",
                       steps, info->name, original);
    for (int i = 0; i < steps; i++) {
        int rank = original - (int)(i * ((double)original / steps)); /* 1 is the last of the original steps */
        out_timesteps[i] = rank * (n / original) - 1;
    }
    return NULL;
}
