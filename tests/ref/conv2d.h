/* The plainest 2-D convolution, channels last, in double. */
#ifndef BR_REF_CONV2D_H
#define BR_REF_CONV2D_H

#include "ops/op.h"

typedef struct br_ref_conv2d_params {
    int pictures, height, width, in_channels, out_channels, kernel_h, kernel_w, stride;
    int pad_top, pad_left, pad_bottom, pad_right;
    const float *x;      /* [B, H, W, I] */
    const float *weight; /* [O, KH, KW, I] */
    const float *bias;   /* [N], or [B, N] with bias_rows, or NULL; that of channel o in column bias_column + o */
    int bias_rows;
    const float *residual; /* [B, Ho, Wo, O] or NULL */
    br_activation activation;
    int bias_width, bias_column;           /* N, 0: O */
    int upsampled_height, upsampled_width; /* 0: x as it is */
} br_ref_conv2d_params;

int br_ref_conv2d_height(const br_ref_conv2d_params *params); /* Ho */
int br_ref_conv2d_width(const br_ref_conv2d_params *params);  /* Wo */
void br_ref_conv2d(const br_ref_conv2d_params *params, double *out_y);

#endif
