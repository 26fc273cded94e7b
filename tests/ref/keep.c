#include "ref/keep.h"

void br_ref_keep(const br_ref_keep_params *params, double *x)
{
    for (size_t row = 0; row < params->rows; row++)
        for (size_t c = 0; c < params->channels; c++) {
            size_t i = row * params->channels + c;
            double kept = params->signal * params->known[i] + params->level * params->noise[i];
            x[i] = params->mask[row] * x[i] + (1 - (double)params->mask[row]) * kept;
        }
}
