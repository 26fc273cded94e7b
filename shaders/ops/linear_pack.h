/* First stage of linear by integer dot products: every 32 neighbours of x as signed bytes q = round(127 · x / max|x|) with scale max|x| / 127, so
 * x ≈ scale · q with an error of at most half the scale. */
#ifndef BR_LINEAR_PACK_H
#define BR_LINEAR_PACK_H

#include "common/abi.h"

#define BR_LINEAR_PACK_X 0      /* X_T [m, k] */
#define BR_LINEAR_PACK_Q 1      /* uint [m, k / 4], the first of four in the low byte */
#define BR_LINEAR_PACK_SCALES 2 /* vec2 [m, k / 32]: scale, scale · Σ q */
#define BR_LINEAR_PACK_BINDINGS 3

/* The *_first are quads, words and pairs between the start of a binding's range and the slice. */
BR_PUSH(br_linear_pack_push,
    uint quads;
    uint x_first;
    uint q_first;
    uint scales_first;
)

#endif
