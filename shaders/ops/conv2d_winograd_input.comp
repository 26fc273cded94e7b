// v[e, t, i] of four channels of a tile: an invocation.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "common/quad.glsl"
#include "ops/conv2d_winograd.h"
#include "ops/winograd.glsl"

layout(local_size_x_id = 0) in;
layout(set = 0, binding = BR_WINOGRAD_FROM) readonly buffer br_x { X_QUAD x4[]; };
layout(set = 0, binding = BR_WINOGRAD_TO) writeonly buffer br_v { vec4 v4[]; };

// Lines and columns of x as they are stored, counted from the slab's; those in the padding have none.
const uint PADDING = 0xffffffffu;

uint stored(int at, int size, int stored_size, int first)
{
    return at < 0 || at >= size ? PADDING : uint(at) * uint(stored_size) / uint(size) - uint(first);
}

// The padding is zeros. Every invocation loads, some for nothing: CPU devices would else branch for each.
vec4 load(uint line, uint column, uint quads, uint i)
{
    bool outside = line == PADDING || column == PADDING;
    uint at = outside ? 0 : line * uint(p.x_width) + column;
    vec4 value = X_T_VALUE(x4[p.from_first / 4 + at * quads + i]);
    return outside ? vec4(0.0) : value;
}

void main()
{
    uint item = BR_GROUP_INDEX * gl_WorkGroupSize.x + gl_LocalInvocationIndex;
    if (item >= p.total)
        return;
    uint quads = p.depth / 4, tile = item / quads, i = item - tile * quads;
    uint tile_y = tile / p.line_tiles, tile_x = tile - tile_y * p.line_tiles;
    int line = int(p.y0 + tile_y * WINOGRAD_OUT) - p.pad_top, column = int(tile_x * WINOGRAD_OUT) - p.pad_left;
    uint lines[WINOGRAD_IN], columns[WINOGRAD_IN];
    [[unroll]] for (int at = 0; at < WINOGRAD_IN; at++) {
        lines[at] = stored(line + at, p.height, p.x_height, p.slab_top);
        columns[at] = stored(column + at, p.width, p.x_width, 0);
    }
    vec4 half_done[WINOGRAD_IN][WINOGRAD_IN]; // Bᵀ d
    [[unroll]] for (int x = 0; x < WINOGRAD_IN; x++) {
        vec4 d[WINOGRAD_IN], v[WINOGRAD_IN];
        [[unroll]] for (int y = 0; y < WINOGRAD_IN; y++)
            d[y] = load(lines[y], columns[x], quads, i);
        winograd_input(d, v);
        [[unroll]] for (int y = 0; y < WINOGRAD_IN; y++)
            half_done[y][x] = v[y];
    }
    [[unroll]] for (uint y = 0; y < WINOGRAD_IN; y++) {
        vec4 v[WINOGRAD_IN];
        winograd_input(half_done[y], v);
        [[unroll]] for (uint x = 0; x < WINOGRAD_IN; x++)
            v4[((y * WINOGRAD_IN + x) * p.m + tile) * quads + i] = v[x];
    }
}
