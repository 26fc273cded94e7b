#include "ref/model_input.h"

void br_ref_model_input(const float *x, size_t count, int copies, double scale, double *y)
{
    for (int copy = 0; copy < copies; copy++)
        for (size_t i = 0; i < count; i++)
            *y++ = scale * x[i];
}
