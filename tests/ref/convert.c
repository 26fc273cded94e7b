#include "ref/convert.h"

void br_ref_convert(const float *x, br_shape shape, const br_convert_params *params, double *y)
{
    int64_t count = br_shape_count(shape);
    bool to_nhwc = params->layout == BR_LAYOUT_NCHW_TO_NHWC;
    int64_t channels = params->layout == BR_LAYOUT_KEEP ? 1 : shape.dim[to_nhwc ? 1 : 3];
    int64_t pixels = params->layout == BR_LAYOUT_KEEP ? count : count / shape.dim[0] / channels;
    for (int64_t i = 0; i < count; i++) {
        int64_t to = i, b = i / (channels * pixels), rest = i % (channels * pixels);
        if (to_nhwc)
            to = b * channels * pixels + rest % pixels * channels + rest / pixels;
        else if (params->layout == BR_LAYOUT_NHWC_TO_NCHW)
            to = b * channels * pixels + rest % channels * pixels + rest / channels;
        y[to] = (double)params->scale * x[i] + (double)params->shift;
    }
}
