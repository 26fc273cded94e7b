#ifndef BR_SHADER_OPS_ACTIVATION
#define BR_SHADER_OPS_ACTIVATION

#include "common/abi.h"

#define BR_ACTIVATION_X 0
#define BR_ACTIVATION_Y 1

BR_PUSH(br_activation_push,
    uint total; // items
    uint x_skip; // elements before the first one
    uint y_skip;
)

#endif
