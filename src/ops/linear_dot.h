/* linear by integer dot products, for matrices in blocks whose numbers share a scale by 32: x is packed into signed bytes first, once for all products of
 * the same x (q, k and v; the text for every layer), so the columns of tiles need not do it again. */
#ifndef BR_OPS_LINEAR_DOT_H
#define BR_OPS_LINEAR_DOT_H

#include "ops/gemm.h"

/* The packed x of a node, see shaders/ops/linear_pack.h; BR_NONE when it is not multiplied this way. */
typedef struct br_linear_packed {
    br_value q;      /* i32 [M, K / 4] */
    br_value scales; /* f32 [M, K / 16] */
} br_linear_packed;

/* Gives the linear node that is being emitted its packed x, and emits the stage that packs it unless an earlier node has, where the device multiplies this
 * matrix so and there are more than `rows_min` rows. */
BR_MUST_CHECK br_status br_linear_dot_pack(br_emitter *emitter, int64_t rows_min);
br_linear_packed br_linear_dot_packed(const br_node *node);
/* For m × n outputs; `quads` counts blocks. */
br_gemm_tile br_linear_dot_tile(const br_vk_caps *caps, uint64_t m, uint64_t n);

#endif
