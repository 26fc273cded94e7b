#ifndef BR_SHADER_OPS_GROUP_NORM
#define BR_SHADER_OPS_GROUP_NORM

#include "common/abi.h"

#define BR_GROUP_NORM_X 0 /* X_T [B, H, W, x_channels] */
#define BR_GROUP_NORM_BESIDE 1 /* X_T [B, H, W, beside_channels]; unread unless BESIDE */
#define BR_GROUP_NORM_PARTIAL 2 /* the first stage's result: vec2 [B, G, P] */
#define BR_GROUP_NORM_Y 2 /* everywhere else: X_T [B, H, W, C] */
#define BR_GROUP_NORM_GAMMA 3
#define BR_GROUP_NORM_BETA 4
#define BR_GROUP_NORM_MERGED 5 /* the second stage's PARTIAL */

BR_PUSH(br_group_norm_push,
    uint total;       // workgroups: pictures * chunk_count * blocks
    uint blocks;      // of channels
    uint block;       // channels, whole groups
    uint columns;     // invocations of a pixel, each with VECTOR channels
    uint lanes;       // pixels side by side
    uint group_width; // channels of a group
    uint team;        // invocations that merge one group: a power of two, team * (block / group_width) fit the workgroup
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
