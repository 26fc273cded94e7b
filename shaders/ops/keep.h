#ifndef BR_SHADER_OPS_KEEP
#define BR_SHADER_OPS_KEEP

#include "common/abi.h"

#define BR_KEEP_STEP 0
#define BR_KEEP_X 1
#define BR_KEEP_MASK 2
#define BR_KEEP_KNOWN 3
#define BR_KEEP_NOISE 4

BR_PUSH(br_keep_push,
    uint total;    // elements of x
    uint channels; // of x; the mask has one
)

#endif
