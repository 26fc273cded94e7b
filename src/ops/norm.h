/* A layer norm as a part of the product before it or behind it: what layer_norm and linear know of each other. */
#ifndef BR_OPS_NORM_H
#define BR_OPS_NORM_H

#include "ops/emit.h"

/* Of an element. Mean: a sum; variance: difference, product, sum; result: difference, two products, sum. */
#define BR_LAYER_NORM_FLOPS 8

enum { BR_LAYER_NORM_INPUT_X, BR_LAYER_NORM_INPUT_GAMMA, BR_LAYER_NORM_INPUT_BETA };

/* Whether there is a node `index` and it is the layer norm of `x`. */
bool br_layer_norm_is_of(const br_graph *graph, int index, br_value x, float *out_eps);

/* Whether the layer norm that is being emitted had better be a part of the node behind it: a small product that alone reads it. */
bool br_linear_takes_norm(const br_emitter *emitter);
/* Makes it one, and emits the product in its place. */
BR_MUST_CHECK br_status br_emit_linear_of_norm(br_emitter *emitter, float eps);

#endif
