/* linear: y[m][n] = act(Σ_k x[m][k] · w[n][k] + bias[n]) + residual, over a slice of rows and of columns. linear.comp makes tiles,
 * linear_rows.comp takes over when there are only a few rows. With GEGLU (common/gemm_spec.glsl) n counts the columns of y. By integer dot products x is
 * what linear_pack.comp makes of it. */
#ifndef BR_LINEAR_H
#define BR_LINEAR_H

#include "common/abi.h"

#define BR_LINEAR_X 0        /* X_T [m, k], or uvec4 [m, k / 16] of signed bytes; the second stage's parts */
#define BR_LINEAR_W 1        /* W_T [n, w_stride], or the words of blocks (common/quant.h) */
#define BR_LINEAR_Y 2        /* X_T [m, y_stride], or f32 parts */
#define BR_LINEAR_BIAS 3     /* f32 [n] */
#define BR_LINEAR_RESIDUAL 4 /* X_T as y, or f32 [n] */
#define BR_LINEAR_BINDINGS 5
#define BR_LINEAR_X_SCALES 5 /* vec2 [m, k / 32], integer dot products only */
/* Of which the layer norm is multiplied (common/gemm_norm.glsl). */
#define BR_LINEAR_X_GAMMA 5 /* f32 [k] */
#define BR_LINEAR_X_BETA 6  /* f32 [k] */
#define BR_LINEAR_NORM_X_BINDINGS 7
/* The second stage with the layer norm of its result: y's rows are n elements long. */
#define BR_LINEAR_GAMMA 1  /* f32 [n], in the place of w */
#define BR_LINEAR_BETA 5   /* f32 [n] */
#define BR_LINEAR_NORMED 6 /* X_T [m, n] */
#define BR_LINEAR_NORM_BINDINGS 7

/* The *_first are elements of the buffer between the start of a binding's range and the slice; of w, words where it has blocks. */
BR_PUSH(br_linear_push,
    uint total;    /* workgroups */
    uint tiles_n;  /* workgroups along n */
    uint m;
    uint n;
    uint k;
    uint w_stride; /* elements or words a row of w */
    uint x_first;
    uint w_first;
    uint y_first;
    uint y_stride;
    uint bias_first;
    uint residual_first;
    uint gate;      /* GEGLU: rows of w and elements of the bias between a value and its gate */
    uint w_column;  /* blocks: the column of w that belongs to k = 0, and the number of its columns; elsewhere w_first and w_stride say it */
    uint w_columns;
    uint scales_first; /* pairs of x_scales */
    uint parts;        /* of k, each a workgroup's: common/gemm_parts.glsl */
    float eps;         /* of the layer norm of x, or of the second stage's */
)

#endif
