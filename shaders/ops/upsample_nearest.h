#ifndef BR_SHADER_OPS_UPSAMPLE_NEAREST
#define BR_SHADER_OPS_UPSAMPLE_NEAREST

#include "common/abi.h"

#define BR_UPSAMPLE_NEAREST_X 0
#define BR_UPSAMPLE_NEAREST_Y 1

BR_PUSH(br_upsample_nearest_push,
    uint total;      // items
    uint channels;   // items: C or C / 4
    uint x_height;
    uint x_width;
    uint y_height;
    uint y_width;
    uint x_line;     // the first line of x that is bound; lines are counted over all pictures
    uint y_line;     // the first line of y that is written; likewise
    uint x_skip;     // elements before the first one
    uint y_skip;
)

#endif
