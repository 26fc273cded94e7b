/* conv2d of 3 × 3 kernels with stride 1 by Winograd's algorithm, see shaders/ops/winograd.glsl: a quarter of the multiplications, for four dispatches a slab
 * and memory for what lies between them. */
#ifndef BR_OPS_WINOGRAD_H
#define BR_OPS_WINOGRAD_H

#include "ops/emit.h"

/* How the work is cut so that what lies between the dispatches stays small: some lines of tiles of one picture, then some output channels at a time. */
typedef struct br_winograd_slabs {
    int64_t lines;    /* of tiles; 0: the algorithm does not pay for this shape */
    int64_t channels; /* a multiple of 4 */
    int64_t v, s;     /* elements of the scratch value before the tiles and before the sums; kernels come first */
    int64_t count;    /* elements of the scratch value */
} br_winograd_slabs;

typedef struct br_winograd_conv {
    br_value x, weight, y;
    br_value bias, residual; /* or BR_NONE */
    br_value scratch;        /* f32 [slabs.count], for br_winograd_emit */
    int64_t height, width;   /* of x as it is read, see br_conv2d_params */
    int64_t bias_stride, bias_column;
    int pad_top, pad_left;
    br_activation activation;
    br_winograd_slabs slabs;
} br_winograd_conv;

/* y: [B, Ho, Wo, O]. */
br_winograd_slabs br_winograd_cut(br_shape weight, int stride, br_shape y);
/* Whether it wins on the device, and every slab fits its bindings. */
bool br_winograd_wins(const br_emitter *emitter, const br_winograd_conv *conv);
BR_MUST_CHECK br_status br_winograd_emit(br_emitter *emitter, const br_winograd_conv *conv);

#endif
