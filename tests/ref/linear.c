#include "ref/linear.h"

#include <math.h>

double br_ref_activation(br_activation activation, double x)
{
    switch (activation) {
    case BR_ACTIVATION_SILU:
        return x / (1 + exp(-x));
    case BR_ACTIVATION_GELU:
        return x / 2 * (1 + erf(x / sqrt(2)));
    case BR_ACTIVATION_GELU_TANH:
        return x / 2 * (1 + tanh(sqrt(2 / acos(-1.0)) * (x + 0.044715 * x * x * x)));
    case BR_ACTIVATION_QUICK_GELU:
        return x / (1 + exp(-1.702 * x));
    case BR_ACTIVATION_NONE:
        break;
    }
    return x;
}

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
