#ifndef BR_SHADER_OPS_GEGLU
#define BR_SHADER_OPS_GEGLU

#include "common/abi.h"

#define BR_GEGLU_X 0
#define BR_GEGLU_Y 1

BR_PUSH(br_geglu_push,
    uint total;  // items
    uint width;  // items a row of y: D or D / 4
    uint x_skip; // elements before the first one
    uint y_skip;
)

#endif
