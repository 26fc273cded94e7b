#include "ref/conv2d.h"

#include "ref/activation.h"

static int read_height(const br_ref_conv2d_params *p)
{
    return p->upsampled_height ? p->upsampled_height : p->height;
}

static int read_width(const br_ref_conv2d_params *p)
{
    return p->upsampled_width ? p->upsampled_width : p->width;
}

int br_ref_conv2d_height(const br_ref_conv2d_params *p)
{
    return (read_height(p) + p->pad_top + p->pad_bottom - p->kernel_h) / p->stride + 1;
}

int br_ref_conv2d_width(const br_ref_conv2d_params *p)
{
    return (read_width(p) + p->pad_left + p->pad_right - p->kernel_w) / p->stride + 1;
}

static double output_at(const br_ref_conv2d_params *p, int picture, int y, int x, int channel)
{
    double sum = 0;
    for (int ky = 0; ky < p->kernel_h; ky++) {
        for (int kx = 0; kx < p->kernel_w; kx++) {
            int line = y * p->stride + ky - p->pad_top, column = x * p->stride + kx - p->pad_left;
            if (line < 0 || line >= read_height(p) || column < 0 || column >= read_width(p))
                continue;
            line = line * p->height / read_height(p);
            column = column * p->width / read_width(p);
            const float *from = p->x + ((picture * p->height + line) * p->width + column) * p->in_channels;
            const float *weight = p->weight + ((channel * p->kernel_h + ky) * p->kernel_w + kx) * p->in_channels;
            for (int i = 0; i < p->in_channels; i++)
                sum += (double)from[i] * weight[i];
        }
    }
    return sum;
}

void br_ref_conv2d(const br_ref_conv2d_params *p, double *out_y)
{
    int height = br_ref_conv2d_height(p), width = br_ref_conv2d_width(p), at = 0;
    int bias_width = p->bias_width ? p->bias_width : p->out_channels;
    for (int picture = 0; picture < p->pictures; picture++)
        for (int y = 0; y < height; y++)
            for (int x = 0; x < width; x++)
                for (int channel = 0; channel < p->out_channels; channel++, at++) {
                    out_y[at] = output_at(p, picture, y, x, channel);
                    if (p->bias)
                        out_y[at] += p->bias[(p->bias_rows ? picture * bias_width : 0) + p->bias_column + channel];
                    if (p->residual)
                        out_y[at] += p->residual[at];
                    out_y[at] = br_ref_activation(p->activation, out_y[at]);
                }
}
