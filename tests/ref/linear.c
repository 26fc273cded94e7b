#include "ref/linear.h"

#include "ref/activation.h"

void br_ref_linear(const br_ref_linear_params *params, double *out_y)
{
    for (size_t m = 0; m < params->m; m++) {
        for (size_t n = 0; n < params->n; n++) {
            double sum = params->bias ? params->bias[n] : 0;
            for (size_t k = 0; k < params->k; k++)
                sum += (double)params->x[m * params->k + k] * params->weight[n * params->k + k];
            double y = br_ref_activation(params->activation, sum);
            if (params->residual)
                y += params->residual[m * params->n + n];
            if (params->residual_row)
                y += params->residual_row[n];
            out_y[m * params->n + n] = y;
        }
    }
}
