/* Latents on the host: planes [C, N] as files and noise generators have them, channels last [N, C] as the device does. */
#ifndef BR_PIPELINE_LAYOUT_H
#define BR_PIPELINE_LAYOUT_H

#include <stdint.h>

void br_layout_to_planes(const float *channels_last, int channels, int64_t pixels, float *out_planes);
void br_layout_to_channels_last(const float *planes, int channels, int64_t pixels, float *out_values);

#endif
