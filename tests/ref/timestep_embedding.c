#include "ref/timestep_embedding.h"

#include <math.h>

void br_ref_timestep_embedding(double t, const br_timestep_embedding_params *params, double *y)
{
    int64_t half = params->dim / 2;
    for (int64_t i = 0; i < half; i++) {
        double angle = t * exp(-log((double)params->max_period) * (double)i / ((double)half - (double)params->freq_shift));
        y[i] = params->flip_sin_to_cos ? cos(angle) : sin(angle);
        y[half + i] = params->flip_sin_to_cos ? sin(angle) : cos(angle);
    }
    if (params->dim % 2)
        y[params->dim - 1] = 0;
}
