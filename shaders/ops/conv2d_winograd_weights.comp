// u[e, o, i] of four input channels: an invocation.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "common/types.glsl"
#include "ops/conv2d_winograd.h"
#include "ops/winograd.glsl"

layout(local_size_x_id = 0) in;
layout(set = 0, binding = BR_WINOGRAD_FROM) readonly buffer br_w { W_T4 w4[]; };
layout(set = 0, binding = BR_WINOGRAD_TO) writeonly buffer br_u { vec4 u4[]; };

void main()
{
    uint item = BR_GROUP_INDEX * gl_WorkGroupSize.x + gl_LocalInvocationIndex;
    if (item >= p.total)
        return;
    uint quads = p.depth / 4, o = item / quads, i = item - o * quads;
    uint at = p.from_first / 4 + o * 9 * quads + i;
    vec4 half_done[WINOGRAD_IN][3]; // G g
    [[unroll]] for (uint x = 0; x < 3; x++) {
        vec4 column[WINOGRAD_IN];
        winograd_weights(vec4(w4[at + x * quads]), vec4(w4[at + (3 + x) * quads]), vec4(w4[at + (6 + x) * quads]), column);
        [[unroll]] for (uint y = 0; y < WINOGRAD_IN; y++)
            half_done[y][x] = column[y];
    }
    [[unroll]] for (uint y = 0; y < WINOGRAD_IN; y++) {
        vec4 row[WINOGRAD_IN];
        winograd_weights(half_done[y][0], half_done[y][1], half_done[y][2], row);
        [[unroll]] for (uint x = 0; x < WINOGRAD_IN; x++)
            u4[((y * WINOGRAD_IN + x) * p.n + o) * quads + i] = row[x];
    }
}
