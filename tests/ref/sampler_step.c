#include "ref/sampler_step.h"

void br_ref_sampler_step(const br_ref_sampler_step_params *params, double *x, double *history)
{
    const br_step *s = params->step;
    for (size_t i = 0; i < params->count; i++) {
        double out = params->out[i];
        if (params->guided)
            out = params->out[i] + (double)s->guidance * ((double)params->out[params->count + i] - params->out[i]);
        double sum = s->x_scale * x[i] + s->out_scale * out;
        for (size_t k = 0; k < BR_HISTORY_MAX; k++)
            if (s->history_scale[k] != 0)
                sum += s->history_scale[k] * history[k * params->count + i];
        if (s->noise_scale != 0)
            sum += (double)s->noise_scale * params->noise[i];
        history[s->history_slot * params->count + i] = s->h_x * x[i] + s->h_out * out;
        x[i] = sum;
    }
}
