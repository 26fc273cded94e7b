#ifndef BR_SHADER_OPS_SAMPLER_STEP
#define BR_SHADER_OPS_SAMPLER_STEP

#include "common/abi.h"

#define BR_SAMPLER_STEP_STEP 0
#define BR_SAMPLER_STEP_OUT 1
#define BR_SAMPLER_STEP_X 2
#define BR_SAMPLER_STEP_HISTORY 3
#define BR_SAMPLER_STEP_NOISE 4

BR_PUSH(br_sampler_step_push,
    uint total; // items of x, and of a row of history
)

#endif
