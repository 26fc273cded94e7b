/* What other ops need of layer_norm to do its work along with their own. */
#ifndef BR_OPS_NORM_H
#define BR_OPS_NORM_H

#include "graph/graph.h"

/* Of an element. Mean: a sum; variance: difference, product, sum; result: difference, two products, sum. */
#define BR_LAYER_NORM_FLOPS 8

enum { BR_LAYER_NORM_INPUT_X, BR_LAYER_NORM_INPUT_GAMMA, BR_LAYER_NORM_INPUT_BETA };

/* Whether there is a node `index` and it is the layer norm of `x`. */
bool br_layer_norm_is_of(const br_graph *graph, int index, br_value x, float *out_eps);

#endif
