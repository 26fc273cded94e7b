#include "ref/layer_norm.h"

#include <math.h>

void br_ref_layer_norm(const br_ref_layer_norm_params *params, double *y)
{
    for (size_t r = 0; r < params->rows; r++) {
        const float *x = params->x + r * params->width;
        double sum = 0, squares = 0, count = (double)params->width;
        for (size_t d = 0; d < params->width; d++)
            sum += x[d];
        for (size_t d = 0; d < params->width; d++)
            squares += (x[d] - sum / count) * (x[d] - sum / count);
        for (size_t d = 0; d < params->width; d++)
            *y++ = (x[d] - sum / count) / sqrt(squares / count + params->eps) * params->gamma[d] + params->beta[d];
    }
}
