#ifndef BR_SHADER_OPS_GROUP_NORM
#define BR_SHADER_OPS_GROUP_NORM

#include "common/abi.h"

#define BR_GROUP_NORM_X 0
#define BR_GROUP_NORM_GAMMA 1
#define BR_GROUP_NORM_BETA 2
#define BR_GROUP_NORM_PARTIAL 3
#define BR_GROUP_NORM_Y 4

/* group_norm_stats.comp, the first stage, takes the same constants and leaves y_skip and eps unread. */
#define BR_GROUP_NORM_STATS_X 0
#define BR_GROUP_NORM_STATS_PARTIAL 1

BR_PUSH(br_group_norm_push,
    uint total;       // workgroups: pictures * chunk_count * blocks
    uint blocks;      // of channels
    uint channels;    // C
    uint groups;      // G
    uint rows;        // H * W
    uint chunks;      // P, of a picture
    uint chunk_rows;
    uint chunk_first; // of each picture of this dispatch
    uint chunk_count;
    uint picture_first;
    uint x_skip;      // elements before the first one
    uint y_skip;
    float eps;
)

#endif
