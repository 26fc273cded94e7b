#include "ref/add.h"

void br_ref_add(const float *a, const float *b, size_t count, double *y)
{
    for (size_t i = 0; i < count; i++)
        y[i] = (double)a[i] + b[i];
}
