/* conv2d as an implicit GEMM: rows are output pixels, columns output channels, taps the KH·KW places of the kernel, depth the input channels. A
 * dispatch makes some lines of output, from line y0 on, of one or several pictures. */
#ifndef BR_CONV2D_H
#define BR_CONV2D_H

#include "common/abi.h"

#define BR_CONV2D_X 0        /* X_T [pictures, H, W, I], or a slab of lines of one picture; the second stage's parts */
#define BR_CONV2D_W 1        /* W_T [n, KH, KW, I] */
#define BR_CONV2D_Y 2        /* X_T [pictures, lines, Wo, O], or f32 parts */
#define BR_CONV2D_BIAS 3     /* f32 [n], or n of bias_stride for every picture */
#define BR_CONV2D_RESIDUAL 4 /* as y */
#define BR_CONV2D_BINDINGS 5

/* The *_first are elements between the start of a binding's range and the slice. */
BR_PUSH(br_conv2d_push,
    uint total;      /* workgroups */
    uint tiles_n;    /* workgroups along n */
    uint m;          /* pictures · lines · Wo */
    uint n;          /* output channels of this dispatch */
    uint depth;      /* I */
    uint kernel_w;
    uint taps;       /* KH · KW */
    uint stride;
    int pad_top;
    int pad_left;
    int height;      /* of the whole input picture as it is read */
    int width;
    int x_height;    /* as it is stored */
    int x_width;
    int slab_top;    /* the stored line that x_first points at */
    uint x_picture;  /* elements from one picture to the next in x */
    uint y0;         /* first output line */
    uint out_width;  /* Wo */
    uint out_pixels; /* lines · Wo */
    uint x_first;
    uint w_first;
    uint y_first;
    uint y_stride;   /* O */
    uint bias_first;
    uint bias_stride; /* 0: the same bias for all pictures */
    uint residual_first;
    uint parts;       /* of taps and depth, each a workgroup's: common/gemm_parts.glsl */
    uint doubled;     /* CPU devices: 1 where x is read at twice its size, elsewhere 0; UPSAMPLED is for other sizes there */
)

#endif
