/* The plainest 2-D convolution, channels last, in double. */
#ifndef BR_REF_CONV2D_H
#define BR_REF_CONV2D_H

#include "ops/op.h"

typedef struct br_ref_conv2d_params {
    int pictures, height, width, in_channels, out_channels, kernel_h, kernel_w, stride;
    int pad_top, pad_left, pad_bottom, pad_right;
    const float *x;      /* [B, H, W, I] */
    const float *weight; /* [O, KH, KW, I] */
    const float *bias;   /* [O], or [B, O] with bias_rows, or NULL */
    int bias_rows;
    const float *residual; /* [B, Ho, Wo, O] or NULL */
    br_activation activation;
} br_ref_conv2d_params;

int br_ref_conv2d_height(const br_ref_conv2d_params *params); /* Ho */
int br_ref_conv2d_width(const br_ref_conv2d_params *params);  /* Wo */
void br_ref_conv2d(const br_ref_conv2d_params *params, double *out_y);

#endif
