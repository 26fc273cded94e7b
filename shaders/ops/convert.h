#ifndef BR_SHADER_OPS_CONVERT
#define BR_SHADER_OPS_CONVERT

#include "common/abi.h"

#define BR_CONVERT_X 0
#define BR_CONVERT_Y 1

BR_PUSH(br_convert_push,
    uint total;      // items
    uint channels;   // of this dispatch, where the layout changes
    uint x_row;      // elements from one pixel to the next, where the layout changes
    uint x_channel;  // elements from one channel to the next
    uint y_row;
    uint y_channel;
    uint x_skip;     // elements before the first one
    uint y_skip;
    float scale;
    float shift;
)

#endif
