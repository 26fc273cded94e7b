#include "ref/geglu.h"

#include "ref/activation.h"

void br_ref_geglu(const float *x, size_t rows, size_t width, double *y)
{
    for (size_t r = 0; r < rows; r++)
        for (size_t d = 0; d < width; d++)
            y[r * width + d] = (double)x[r * 2 * width + d] * br_ref_activation(BR_ACTIVATION_GELU, x[r * 2 * width + width + d]);
}
