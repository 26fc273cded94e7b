#ifndef BR_SHADER_OPS_GROUP_NORM
#define BR_SHADER_OPS_GROUP_NORM

#include "common/abi.h"

#define BR_GROUP_NORM_X 0 /* X_T [B, H, W, x_channels] */
#define BR_GROUP_NORM_GAMMA 1
#define BR_GROUP_NORM_BETA 2
#define BR_GROUP_NORM_PARTIAL 3
#define BR_GROUP_NORM_Y 4
#define BR_GROUP_NORM_BESIDE 5 /* X_T [B, H, W, beside_channels]; unread unless BESIDE */

/* group_norm_stats.comp, the first stage, takes the same constants and leaves y_skip and eps unread. */
#define BR_GROUP_NORM_STATS_X 0
#define BR_GROUP_NORM_STATS_PARTIAL 1
#define BR_GROUP_NORM_STATS_BESIDE 2

BR_PUSH(br_group_norm_push,
    uint total;       // workgroups: pictures * chunk_count * blocks
    uint blocks;      // of channels
    uint channels;    // C = x_channels + beside_channels
    uint x_channels;
    uint beside_channels;
    uint groups;      // G
    uint rows;        // H * W
    uint chunks;      // P, of a picture
    uint chunk_rows;
    uint chunk_first; // of each picture of this dispatch
    uint chunk_count;
    uint picture_first;
    uint x_skip;      // elements before the first one
    uint beside_skip;
    uint y_skip;
    float eps;
)

#endif
