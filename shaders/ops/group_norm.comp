// Second stage of group_norm: merges the chunks' statistics, then y = act((x - mean) / sqrt(var + eps) * gamma + beta). x and y may be the same memory.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "common/activation.glsl"
#include "ops/group_norm.glsl"
#include "ops/group_norm.h"

layout(constant_id = 7) const int KIND = BR_ACT_NONE;

layout(std430, binding = BR_GROUP_NORM_X) readonly buffer X { X_T x[]; };
layout(std430, binding = BR_GROUP_NORM_X) readonly buffer X4 { X_T4 x4[]; };
layout(std430, binding = BR_GROUP_NORM_BESIDE) readonly buffer B { X_T beside[]; };
layout(std430, binding = BR_GROUP_NORM_BESIDE) readonly buffer B4 { X_T4 beside4[]; };
layout(std430, binding = BR_GROUP_NORM_GAMMA) readonly buffer Gamma { float gamma[]; };
layout(std430, binding = BR_GROUP_NORM_BETA) readonly buffer Beta { float beta[]; };
layout(std430, binding = BR_GROUP_NORM_PARTIAL) readonly buffer Partial { vec2 partial[]; };
layout(std430, binding = BR_GROUP_NORM_Y) writeonly buffer Y { X_T y[]; };
layout(std430, binding = BR_GROUP_NORM_Y) writeonly buffer Y4 { X_T4 y4[]; };

shared vec2 s_norm[BLOCK / GROUP_WIDTH]; // mean, 1 / sqrt(var + eps)

uint g_block, g_picture;

vec3 br_part(uint group, uint entry)
{
    group += g_block * (BLOCK / GROUP_WIDTH);
    if (group >= p.groups)
        return vec3(0);
    uint rows = min(p.chunk_rows, p.rows - entry * p.chunk_rows);
    return vec3(float(rows) * float(GROUP_WIDTH), partial[(g_picture * p.groups + group) * p.chunks + entry]);
}

void normalise(uint local, uint lane, uint first_row, uint rows)
{
    uint channel = g_block * BLOCK + local;
    vec4 mean, scale, shift;
    for (uint j = 0; j < VECTOR; j++) {
        vec2 norm = s_norm[(local + j) / GROUP_WIDTH];
        mean[j] = norm.x;
        scale[j] = norm.y * gamma[channel + j];
        shift[j] = beta[channel + j];
    }
    bool is_beside = BESIDE && channel >= p.x_channels;
    uint stride = is_beside ? p.beside_channels : p.x_channels;
    uint from = first_row * stride + (is_beside ? p.beside_skip + channel - p.x_channels : p.x_skip + channel);
    uint to = p.y_skip + first_row * p.channels + channel;
    for (uint row = lane; row < rows; row += LANES) {
        uint i = from + row * stride, o = to + row * p.channels;
        if (VECTOR == 4) {
            vec4 value = BESIDE && is_beside ? vec4(beside4[i / 4]) : vec4(x4[i / 4]);
            y4[o / 4] = X_T4(br_activate4(KIND, (value - mean) * scale + shift));
        } else {
            float value = BESIDE && is_beside ? float(beside[i]) : float(x[i]);
            y[o] = X_T(br_activate(KIND, (value - mean.x) * scale.x + shift.x));
        }
    }
}

void main()
{
    uint index = BR_GROUP_INDEX;
    if (index >= p.total)
        return;
    g_block = index % p.blocks;
    uint chunk = index / p.blocks % p.chunk_count;
    uint picture = index / p.blocks / p.chunk_count;
    g_picture = p.picture_first + picture;

    vec3 merged = br_merge(p.chunks);
    uint id = gl_LocalInvocationID.x, team = id / TEAM;
    if (id % TEAM == 0 && team < BLOCK / GROUP_WIDTH)
        s_norm[team] = vec2(merged.y, inversesqrt(merged.z / max(merged.x, 1.0) + p.eps));
    barrier();

    uint rows = min(p.chunk_rows, p.rows - (p.chunk_first + chunk) * p.chunk_rows);
    uint first_row = picture * p.rows + chunk * p.chunk_rows; // counted from the first element of the dispatch
    uint lane = id / COLUMNS;
    if (lane < LANES)
        for (uint local = id % COLUMNS * VECTOR; local < BLOCK && g_block * BLOCK + local < p.channels; local += COLUMNS * VECTOR)
            normalise(local, lane, first_row, rows);
}
