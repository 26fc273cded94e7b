#include "ref/activation.h"

#include <math.h>

double br_ref_activation(br_activation kind, double x)
{
    const double pi = 3.14159265358979323846;
    switch (kind) {
    case BR_ACTIVATION_NONE:
        return x;
    case BR_ACTIVATION_SILU:
        return x / (1 + exp(-x));
    case BR_ACTIVATION_GELU:
        return x / 2 * (1 + erf(x / sqrt(2.0)));
    case BR_ACTIVATION_GELU_TANH:
        return x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x * x * x)));
    case BR_ACTIVATION_QUICK_GELU:
        return x / (1 + exp(-1.702 * x));
    case BR_ACTIVATION_RELU:
        return x > 0 ? x : 0;
    case BR_ACTIVATION_TANH:
        return tanh(x);
    }
    return NAN;
}
