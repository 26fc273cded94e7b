#ifndef BR_SHADER_OPS_MODEL_INPUT
#define BR_SHADER_OPS_MODEL_INPUT

#include "common/abi.h"

#define BR_MODEL_INPUT_STEP 0
#define BR_MODEL_INPUT_X 1
#define BR_MODEL_INPUT_Y 2

BR_PUSH(br_model_input_push,
    uint total;  // items
    uint count;  // items of x
    uint y_item; // the first item that is written, counted over all copies
    uint y_skip; // elements before the first one
)

#endif
