#include "ref/linear.h"

#include "ref/activation.h"

static double product(const br_ref_linear_params *params, size_t m, size_t row)
{
    size_t stride = params->w_stride ? params->w_stride : params->k;
    double sum = params->bias ? params->bias[row] : 0;
    for (size_t k = 0; k < params->k; k++)
        sum += (double)params->x[m * params->k + k] * params->weight[row * stride + k];
    return sum;
}

void br_ref_linear(const br_ref_linear_params *params, double *out_y)
{
    for (size_t m = 0; m < params->m; m++) {
        for (size_t n = 0; n < params->n; n++) {
            double y = br_ref_activation(params->activation, product(params, m, n));
            if (params->geglu)
                y *= br_ref_activation(BR_ACTIVATION_GELU, product(params, m, params->n + n));
            if (params->residual)
                y += params->residual[m * params->n + n];
            if (params->residual_row)
                y += params->residual_row[n];
            out_y[m * params->n + n] = y;
        }
    }
}
