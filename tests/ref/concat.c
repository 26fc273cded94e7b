#include "ref/concat.h"

void br_ref_concat(const float *a, size_t a_width, const float *b, size_t b_width, size_t rows, double *y)
{
    for (size_t r = 0; r < rows; r++) {
        for (size_t c = 0; c < a_width; c++)
            *y++ = a[r * a_width + c];
        for (size_t c = 0; c < b_width; c++)
            *y++ = b[r * b_width + c];
    }
}
