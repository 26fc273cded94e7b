#ifndef BR_SHADER_OPS_CONCAT
#define BR_SHADER_OPS_CONCAT

#include "common/abi.h"

#define BR_CONCAT_A 0
#define BR_CONCAT_B 1
#define BR_CONCAT_Y 2

BR_PUSH(br_concat_push,
    uint total;   // items
    uint a_width; // items a row: Ca or Ca / 4
    uint b_width;
    uint a_skip;  // elements before the first one
    uint b_skip;
    uint y_skip;
)

#endif
