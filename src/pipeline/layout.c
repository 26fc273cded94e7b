#include "pipeline/layout.h"

void br_layout_to_planes(const float *channels_last, int channels, int64_t pixels, float *out_planes)
{
    for (int c = 0; c < channels; c++)
        for (int64_t i = 0; i < pixels; i++)
            out_planes[c * pixels + i] = channels_last[i * channels + c];
}

void br_layout_to_channels_last(const float *planes, int channels, int64_t pixels, float *out_values)
{
    for (int c = 0; c < channels; c++)
        for (int64_t i = 0; i < pixels; i++)
            out_values[i * channels + c] = planes[c * pixels + i];
}
