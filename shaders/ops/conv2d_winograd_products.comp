// s[e, t, o] = Σ_i v[e, t, i] · u[e, o, i]
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "common/types.glsl"
#include "common/gemm_spec.glsl"
#include "ops/conv2d_winograd.h"

layout(set = 0, binding = BR_WINOGRAD_FROM) readonly buffer br_x { float x[]; };
layout(set = 0, binding = BR_WINOGRAD_FROM) readonly buffer br_x4 { vec4 x4[]; };
layout(set = 0, binding = BR_WINOGRAD_BIAS) readonly buffer br_w { float w[]; };
layout(set = 0, binding = BR_WINOGRAD_BIAS) readonly buffer br_w4 { vec4 w4[]; };
layout(set = 0, binding = BR_WINOGRAD_TO) writeonly buffer br_s { vec4 s4[]; };

uint element; // e

uint gemm_x_row(uint m, uint tap)
{
    return m < p.m ? (element * p.m + m) * p.depth : GEMM_ZERO;
}

uint gemm_w_row(uint n, uint tap)
{
    return n < p.n ? (element * p.n + n) * p.depth : GEMM_ZERO;
}

// A lane's columns are neighbours, so that a row of them is one store.
#define GEMM_LANE_COLUMN(c) (gl_SubgroupInvocationID * TN + c)
#include "common/gemm_load.glsl"
#include "common/gemm_lanes.glsl"

void main()
{
    uint group = BR_GROUP_INDEX;
    if (group >= p.total)
        return;
    uint row = group / p.tiles_n;
    element = row / p.tiles_m;
    uint m0 = (row - element * p.tiles_m) * GEMM_BM, n0 = group % p.tiles_n * GEMM_BN;
    gemm_tile(m0, n0, 1, p.depth);
    uint n = n0 + GEMM_LANE_COLUMN(0);
    [[unroll]] for (uint r = 0; r < TM; r++)
        if (m0 + r < p.m && n < p.n)
            s4[((element * p.m + m0 + r) * p.n + n) / 4] =
                vec4(acc[r * TN], acc[r * TN + 1], acc[r * TN + 2], acc[r * TN + 3]);
}
