#include "ref/conv2d.h"

#include "ref/activation.h"

int br_ref_conv2d_height(const br_ref_conv2d_params *params)
{
    return (params->height + params->pad_top + params->pad_bottom - params->kernel_h) / params->stride + 1;
}

int br_ref_conv2d_width(const br_ref_conv2d_params *params)
{
    return (params->width + params->pad_left + params->pad_right - params->kernel_w) / params->stride + 1;
}

static double output_at(const br_ref_conv2d_params *p, int picture, int y, int x, int channel)
{
    double sum = 0;
    for (int ky = 0; ky < p->kernel_h; ky++) {
        for (int kx = 0; kx < p->kernel_w; kx++) {
            int line = y * p->stride + ky - p->pad_top, column = x * p->stride + kx - p->pad_left;
            if (line < 0 || line >= p->height || column < 0 || column >= p->width)
                continue;
            for (int i = 0; i < p->in_channels; i++)
                sum += (double)p->x[((picture * p->height + line) * p->width + column) * p->in_channels + i] *
                       p->weight[((channel * p->kernel_h + ky) * p->kernel_w + kx) * p->in_channels + i];
        }
    }
    return sum;
}

void br_ref_conv2d(const br_ref_conv2d_params *p, double *out_y)
{
    int height = br_ref_conv2d_height(p), width = br_ref_conv2d_width(p), at = 0;
    for (int picture = 0; picture < p->pictures; picture++)
        for (int y = 0; y < height; y++)
            for (int x = 0; x < width; x++)
                for (int channel = 0; channel < p->out_channels; channel++, at++) {
                    out_y[at] = output_at(p, picture, y, x, channel);
                    if (p->bias)
                        out_y[at] += p->bias[(p->bias_rows ? picture * p->out_channels : 0) + channel];
                    if (p->residual)
                        out_y[at] += p->residual[at];
                    out_y[at] = br_ref_activation(p->activation, out_y[at]);
                }
}
