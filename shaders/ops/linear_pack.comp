#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "common/types.glsl"
#include "ops/linear_pack.h"

layout(local_size_x_id = 0) in; // a multiple of TEAM
const uint THREADS = gl_WorkGroupSize.x;
const uint TEAM = 8; // invocations that share a block, a quad each

layout(set = 0, binding = BR_LINEAR_PACK_X) readonly buffer br_x4 { X_T4 x4[]; };
layout(set = 0, binding = BR_LINEAR_PACK_Q) writeonly buffer br_q { uint q[]; };
layout(set = 0, binding = BR_LINEAR_PACK_SCALES) writeonly buffer br_scales { vec2 scales[]; };

// Numbers this small are zeros: 127 divided by them is not a float.
const float TINY = 1e-30;

shared float peaks[THREADS];
shared int sums[THREADS];

void main()
{
    uint lid = gl_LocalInvocationIndex;
    uint at = BR_GROUP_INDEX * THREADS + lid;
    uint team = lid / TEAM * TEAM;
    vec4 v = at < p.quads ? vec4(x4[p.x_first + at]) : vec4(0.0);
    vec4 size = abs(v);
    peaks[lid] = max(max(size.x, size.y), max(size.z, size.w));
    barrier();
    float peak = 0.0;
    [[unroll]] for (uint i = 0; i < TEAM; i++)
        peak = max(peak, peaks[team + i]);
    // Half a unit more than the number, rounded down: what `round` does with halves differs from device to device.
    ivec4 whole = peak < TINY ? ivec4(0) : ivec4(floor(v * (127.0 / peak) + 0.5));
    sums[lid] = whole.x + whole.y + whole.z + whole.w;
    barrier();
    if (at >= p.quads)
        return;
    uvec4 bytes = uvec4(whole) & 0xff;
    q[p.q_first + at] = bytes.x | bytes.y << 8 | bytes.z << 16 | bytes.w << 24;
    if (lid == team) {
        int sum = 0;
        [[unroll]] for (uint i = 0; i < TEAM; i++)
            sum += sums[team + i];
        float scale = peak / 127.0;
        scales[p.scales_first + at / TEAM] = vec2(scale, scale * float(sum));
    }
}
