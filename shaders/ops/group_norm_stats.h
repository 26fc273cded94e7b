#ifndef BR_SHADER_OPS_GROUP_NORM_STATS
#define BR_SHADER_OPS_GROUP_NORM_STATS

#include "common/abi.h"

#define BR_GROUP_NORM_STATS_X 0
#define BR_GROUP_NORM_STATS_PARTIAL 1

BR_PUSH(br_group_norm_stats_push,
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
)

#endif
