#ifndef BR_SHADER_OPS_LAYER_NORM
#define BR_SHADER_OPS_LAYER_NORM

#include "common/abi.h"

#define BR_LAYER_NORM_X 0
#define BR_LAYER_NORM_GAMMA 1
#define BR_LAYER_NORM_BETA 2
#define BR_LAYER_NORM_Y 3

BR_PUSH(br_layer_norm_push,
    uint total;  // workgroups
    uint rows;
    uint width;  // D
    uint x_skip; // elements before the first one
    uint y_skip;
    float eps;
)

#endif
