// First stage of group_norm: partial[b, g, chunk] = (mean, M2) of a group's share of every chunk.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "ops/group_norm.glsl"
#include "ops/group_norm.h"

layout(std430, binding = BR_GROUP_NORM_STATS_X) readonly buffer X { X_T x[]; };
layout(std430, binding = BR_GROUP_NORM_STATS_X) readonly buffer X4 { X_T4 x4[]; };
layout(std430, binding = BR_GROUP_NORM_STATS_BESIDE) readonly buffer B { X_T beside[]; };
layout(std430, binding = BR_GROUP_NORM_STATS_BESIDE) readonly buffer B4 { X_T4 beside4[]; };
layout(std430, binding = BR_GROUP_NORM_STATS_PARTIAL) writeonly buffer Partial { vec2 partial[]; };

shared float s_count[gl_WorkGroupSize.x];
shared float s_mean[gl_WorkGroupSize.x * VECTOR];
shared float s_m2[gl_WorkGroupSize.x * VECTOR];

// Parts are the channels of every lane: entry = lane * (a group's channels side by side) + channel. A group wider than the workgroup has its
// channels added up by the invocations already, and lanes are one.
#define SIDE (GROUP_WIDTH < COLUMNS * VECTOR ? GROUP_WIDTH : COLUMNS * VECTOR)

vec3 br_part(uint group, uint entry)
{
    uint i = entry / SIDE * COLUMNS * VECTOR + group * GROUP_WIDTH + entry % SIDE;
    return vec3(s_count[i / VECTOR], s_mean[i], s_m2[i]);
}

vec4 read_x(bool is_beside, uint i)
{
    if (BESIDE && is_beside)
        return VECTOR == 4 ? vec4(beside4[i / 4]) : vec4(float(beside[i]));
    return VECTOR == 4 ? vec4(x4[i / 4]) : vec4(float(x[i]));
}

void main()
{
    uint index = BR_GROUP_INDEX;
    if (index >= p.total)
        return;
    uint block = index % p.blocks;
    uint chunk = index / p.blocks % p.chunk_count;
    uint picture = index / p.blocks / p.chunk_count;
    uint rows = min(p.chunk_rows, p.rows - (p.chunk_first + chunk) * p.chunk_rows);
    uint first_row = picture * p.rows + chunk * p.chunk_rows; // counted from the first element of the dispatch

    uint id = gl_LocalInvocationID.x, lane = id / COLUMNS;
    float count = 0;
    vec4 mean = vec4(0), m2 = vec4(0); // Welford (1962), a channel each
    if (lane < LANES)
        for (uint local = id % COLUMNS * VECTOR; local < BLOCK; local += COLUMNS * VECTOR) {
            uint channel = block * BLOCK + local;
            if (channel >= p.channels)
                break;
            bool is_beside = BESIDE && channel >= p.x_channels;
            uint stride = is_beside ? p.beside_channels : p.x_channels;
            uint at = first_row * stride + (is_beside ? p.beside_skip + channel - p.x_channels : p.x_skip + channel);
            for (uint row = lane; row < rows; row += LANES) {
                vec4 value = read_x(is_beside, at + row * stride);
                count += 1.0;
                vec4 distance = value - mean;
                mean += distance * (1.0 / count);
                m2 += distance * (value - mean);
            }
        }
    s_count[id] = count;
    for (uint j = 0; j < VECTOR; j++) {
        s_mean[id * VECTOR + j] = mean[j];
        s_m2[id * VECTOR + j] = m2[j];
    }
    barrier();

    vec3 merged = br_merge(LANES * SIDE);
    uint team = id / TEAM, group = block * (BLOCK / GROUP_WIDTH) + team;
    if (id % TEAM == 0 && team < BLOCK / GROUP_WIDTH && group < p.groups)
        partial[((p.picture_first + picture) * p.groups + group) * p.chunks + p.chunk_first + chunk] = merged.yz;
}
