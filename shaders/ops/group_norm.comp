// group_norm: y = act((x - mean) / sqrt(var + eps) * gamma + beta) with the statistics of a picture's group of channels. x and y may be the same memory.
// MEASURE alone is the first of two stages: partial[b, g, chunk] = (mean, M2) of a group's share of every chunk of pixels. APPLY alone is the second, which
// merges the chunks. Both at once do a picture that is one chunk.
//
// A workgroup takes `chunk_rows` pixels of a block of channels. Neighbouring invocations take neighbouring channels, so memory is read in whole lines however
// narrow a group is; `columns` of them make a pixel, `lanes` pixels go side by side.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "common/activation.glsl"
#include "common/quad.glsl"
#include "ops/group_norm.glsl"

layout(constant_id = 1) const uint VECTOR = 1;
layout(constant_id = 2) const bool BESIDE = false; // channels from p.x_channels on are those of a second value; vectors are never of both
layout(constant_id = 3) const int KIND = BR_ACT_NONE;

layout(std430, binding = BR_GROUP_NORM_X) readonly buffer X { X_T x[]; };
layout(std430, binding = BR_GROUP_NORM_X) readonly buffer X4 { X_QUAD x4[]; };
layout(std430, binding = BR_GROUP_NORM_BESIDE) readonly buffer B { X_T beside[]; };
layout(std430, binding = BR_GROUP_NORM_BESIDE) readonly buffer B4 { X_QUAD beside4[]; };
#if APPLY
layout(std430, binding = BR_GROUP_NORM_Y) writeonly buffer Y { X_T y[]; };
layout(std430, binding = BR_GROUP_NORM_Y) writeonly buffer Y4 { X_QUAD y4[]; };
layout(std430, binding = BR_GROUP_NORM_GAMMA) readonly buffer Gamma { float gamma[]; };
layout(std430, binding = BR_GROUP_NORM_BETA) readonly buffer Beta { float beta[]; };
shared vec2 s_norm[gl_WorkGroupSize.x]; // mean, 1 / sqrt(var + eps) of the block's groups
#endif
#if !MEASURE
layout(std430, binding = BR_GROUP_NORM_MERGED) readonly buffer Partial { vec2 partial[]; };
#elif !APPLY
layout(std430, binding = BR_GROUP_NORM_PARTIAL) writeonly buffer Partial { vec2 partial[]; };
#endif

uint g_block, g_picture, g_chunk; // the picture and the chunk are of this dispatch
uint g_lane, g_column;            // of this invocation
uint g_first_row, g_rows;         // the chunk's, the first one counted from the first element of the dispatch

// Where a channel's rows are: its first element and the distance between two.
struct channel_place {
    bool is_beside;
    uint first, stride;
};

channel_place place_of(uint channel)
{
    bool is_beside = BESIDE && channel >= p.x_channels;
    uint stride = is_beside ? p.beside_channels : p.x_channels;
    return channel_place(is_beside,
                         g_first_row * stride + (is_beside ? p.beside_skip + channel - p.x_channels : p.x_skip + channel), stride);
}

vec4 read_x(bool is_beside, uint i)
{
    if (BESIDE && is_beside)
        return VECTOR == 4 ? X_T_VALUE(beside4[i / 4]) : vec4(float(beside[i]));
    return VECTOR == 4 ? X_T_VALUE(x4[i / 4]) : vec4(float(x[i]));
}

#if MEASURE
shared float s_count[gl_WorkGroupSize.x];
shared float s_mean[gl_WorkGroupSize.x * VECTOR];
shared float s_m2[gl_WorkGroupSize.x * VECTOR];

// Parts are the channels of every lane: entry = lane * (a group's channels side by side) + channel. A group wider than the workgroup has its channels added
// up by the invocations already, and lanes are one.
uint g_side;

vec3 br_part(uint group, uint entry)
{
    uint i = entry / g_side * p.columns * VECTOR + group * p.group_width + entry % g_side;
    return vec3(s_count[i / VECTOR], s_mean[i], s_m2[i]);
}

// (count, mean, M2) of the group that this invocation's team merges, over the chunk.
vec3 measure()
{
    // Welford (1962), a channel each, of distances from the first value: where the mean is large, a running mean of x loses as much at every step as it may in all.
    float count = 0;
    vec4 near = vec4(0), mean = vec4(0), m2 = vec4(0);
    if (g_lane < p.lanes)
        for (uint local = g_column * VECTOR; local < p.block && g_block * p.block + local < p.channels;
             local += p.columns * VECTOR) {
            channel_place place = place_of(g_block * p.block + local);
            for (uint row = g_lane; row < g_rows; row += p.lanes) {
                vec4 value = read_x(place.is_beside, place.first + row * place.stride);
                near = count == 0.0 ? value : near;
                count += 1.0;
                vec4 distance = value - near - mean;
                mean += distance * (1.0 / count);
                m2 += distance * (value - near - mean);
            }
        }
    uint id = gl_LocalInvocationID.x;
    s_count[id] = count;
    for (uint j = 0; j < VECTOR; j++) {
        s_mean[id * VECTOR + j] = near[j] + mean[j];
        s_m2[id * VECTOR + j] = m2[j];
    }
    barrier();
    g_side = min(p.group_width, p.columns * VECTOR);
    return br_merge(p.lanes * g_side);
}
#else
vec3 br_part(uint group, uint entry)
{
    group += g_block * (p.block / p.group_width);
    if (group >= p.groups)
        return vec3(0);
    uint rows = min(p.chunk_rows, p.rows - entry * p.chunk_rows);
    return vec3(float(rows) * float(p.group_width), partial[((p.picture_first + g_picture) * p.groups + group) * p.chunks + entry]);
}
#endif

#if APPLY
void normalise(uint local)
{
    uint channel = g_block * p.block + local;
    vec4 mean, scale, shift;
    for (uint j = 0; j < VECTOR; j++) {
        vec2 norm = s_norm[(local + j) / p.group_width];
        mean[j] = norm.x;
        scale[j] = norm.y * gamma[channel + j];
        shift[j] = beta[channel + j];
    }
    channel_place place = place_of(channel);
    uint to = p.y_skip + g_first_row * p.channels + channel;
    for (uint row = g_lane; row < g_rows; row += p.lanes) {
        vec4 value = read_x(place.is_beside, place.first + row * place.stride);
        uint o = to + row * p.channels;
        if (VECTOR == 4)
            y4[o / 4] = X_T_QUAD(br_activate4(KIND, (value - mean) * scale + shift));
        else
            y[o] = X_T(br_activate(KIND, (value.x - mean.x) * scale.x + shift.x));
    }
}
#endif

void main()
{
    uint index = BR_GROUP_INDEX;
    if (index >= p.total)
        return;
    g_block = index % p.blocks;
    g_chunk = index / p.blocks % p.chunk_count;
    g_picture = index / p.blocks / p.chunk_count;
    g_rows = min(p.chunk_rows, p.rows - (p.chunk_first + g_chunk) * p.chunk_rows);
    g_first_row = g_picture * p.rows + g_chunk * p.chunk_rows;
    uint id = gl_LocalInvocationID.x;
    g_lane = id / p.columns;
    g_column = id % p.columns;

    bool merges = id % p.team == 0 && id / p.team < p.block / p.group_width;
#if MEASURE
    vec3 merged = measure();
#else
    vec3 merged = br_merge(p.chunks);
#endif
#if APPLY
    if (merges)
        s_norm[id / p.team] = vec2(merged.y, inversesqrt(merged.z / max(merged.x, 1.0) + p.eps));
    barrier();
    if (g_lane < p.lanes)
        for (uint local = g_column * VECTOR; local < p.block && g_block * p.block + local < p.channels; local += p.columns * VECTOR)
            normalise(local);
#else
    uint group = g_block * (p.block / p.group_width) + id / p.team;
    if (merges && group < p.groups)
        partial[((p.picture_first + g_picture) * p.groups + group) * p.chunks + p.chunk_first + g_chunk] = merged.yz;
#endif
}
