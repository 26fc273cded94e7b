#ifndef BR_SHADER_OPS_RANDOM
#define BR_SHADER_OPS_RANDOM

#include "common/abi.h"

#define BR_RANDOM_Y 0

BR_PUSH(br_random_push,
    uint total; // items
    uint y_skip; // elements before the first one
    uint first; // its number: what is drawn depends on it and on the seed alone
    uint seed;
    float scale;
)

#endif
