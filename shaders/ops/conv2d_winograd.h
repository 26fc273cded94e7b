/* conv2d of 3 × 3 kernels by Winograd's algorithm in four dispatches: the kernels transformed, the tiles of x transformed, 36 matrix products, their sums
 * transformed back. A tile is 4 × 4 outputs; tiles are counted along the lines of one picture. What lies between the dispatches is f32:
 *     u [36, n, I]   kernels of n output channels
 *     v [36, m, I]   m tiles of x
 *     s [36, m, n]   sums */
#ifndef BR_CONV2D_WINOGRAD_H
#define BR_CONV2D_WINOGRAD_H

#include "common/abi.h"

/* What the dispatch reads and writes; the output reads bias and residual as well. */
#define BR_WINOGRAD_FROM 0
#define BR_WINOGRAD_TO 1
#define BR_WINOGRAD_BIAS 2     /* output; the products: u */
#define BR_WINOGRAD_RESIDUAL 3 /* output */
#define BR_WINOGRAD_BINDINGS_MAX 4

BR_PUSH(br_conv2d_winograd_push,
    uint total;      /* items, or workgroups of the products */
    uint tiles_m;    /* workgroups of the products along m */
    uint tiles_n;
    uint m;          /* tiles */
    uint n;          /* output channels */
    uint depth;      /* I */
    uint line_tiles; /* tiles side by side */
    int pad_top;
    int pad_left;
    int height;      /* of x as it is read */
    int width;
    int x_height;    /* as it is stored */
    int x_width;
    int slab_top;    /* the stored line of x that the binding begins with */
    uint y0;         /* first output line */
    uint out_height; /* Ho: of the whole picture */
    uint out_width;
    uint y_stride;   /* O */
    uint from_first; /* elements before the first one */
    uint to_first;
    uint bias_first;
    uint residual_first;
)

#endif
