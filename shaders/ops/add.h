#ifndef BR_SHADER_OPS_ADD
#define BR_SHADER_OPS_ADD

#include "common/abi.h"

#define BR_ADD_A 0
#define BR_ADD_B 1
#define BR_ADD_Y 2

BR_PUSH(br_add_push,
    uint total;  // items
    uint a_skip; // elements before the first one
    uint b_skip;
    uint y_skip;
)

#endif
