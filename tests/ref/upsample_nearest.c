#include "ref/upsample_nearest.h"

void br_ref_upsample_nearest(const float *x, br_shape shape, int64_t height, int64_t width, double *y)
{
    int64_t H = shape.dim[1], W = shape.dim[2], C = shape.dim[3];
    for (int64_t b = 0; b < shape.dim[0]; b++)
        for (int64_t i = 0; i < height; i++)
            for (int64_t j = 0; j < width; j++)
                for (int64_t c = 0; c < C; c++)
                    *y++ = x[((b * H + i * H / height) * W + j * W / width) * C + c];
}
