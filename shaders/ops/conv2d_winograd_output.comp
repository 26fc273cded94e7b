// y of four channels of a tile: an invocation.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "common/activation.glsl"
#include "common/quad.glsl"
#include "ops/conv2d_winograd.h"
#include "ops/winograd.glsl"

layout(local_size_x_id = 0) in;
layout(constant_id = 2) const int ACT = 0; // br_activation
layout(constant_id = 3) const bool BIAS = false;
layout(constant_id = 4) const bool RESIDUAL = false;

layout(set = 0, binding = BR_WINOGRAD_FROM) readonly buffer br_s { vec4 s4[]; };
layout(set = 0, binding = BR_WINOGRAD_TO) writeonly buffer br_y { X_QUAD y4[]; };
layout(set = 0, binding = BR_WINOGRAD_BIAS) readonly buffer br_bias { float bias[]; };
layout(set = 0, binding = BR_WINOGRAD_RESIDUAL) readonly buffer br_residual { X_QUAD residual4[]; };

void main()
{
    uint item = BR_GROUP_INDEX * gl_WorkGroupSize.x + gl_LocalInvocationIndex;
    if (item >= p.total)
        return;
    uint quads = p.n / 4, tile = item / quads, n = item - tile * quads;
    uint tile_y = tile / p.line_tiles, tile_x = tile - tile_y * p.line_tiles;
    vec4 half_done[WINOGRAD_OUT][WINOGRAD_IN]; // Aᵀ s
    [[unroll]] for (uint x = 0; x < WINOGRAD_IN; x++) {
        vec4 s[WINOGRAD_IN], y[WINOGRAD_OUT];
        [[unroll]] for (uint i = 0; i < WINOGRAD_IN; i++)
            s[i] = s4[((i * WINOGRAD_IN + x) * p.m + tile) * quads + n];
        winograd_output(s, y);
        [[unroll]] for (uint i = 0; i < WINOGRAD_OUT; i++)
            half_done[i][x] = y[i];
    }
    vec4 shift = vec4(0.0);
    if (BIAS)
        shift = vec4(bias[p.bias_first + n * 4], bias[p.bias_first + n * 4 + 1], bias[p.bias_first + n * 4 + 2],
                     bias[p.bias_first + n * 4 + 3]);
    [[unroll]] for (uint i = 0; i < WINOGRAD_OUT; i++) {
        vec4 y[WINOGRAD_OUT];
        winograd_output(half_done[i], y);
        uint line = tile_y * WINOGRAD_OUT + i; // of the slab
        [[unroll]] for (uint j = 0; j < WINOGRAD_OUT; j++) {
            uint column = tile_x * WINOGRAD_OUT + j;
            if (p.y0 + line < p.out_height && column < p.out_width) {
                uint at = (line * p.out_width + column) * (p.y_stride / 4) + n;
                vec4 v = y[j] + shift;
                if (RESIDUAL)
                    v += X_T_VALUE(residual4[p.residual_first / 4 + at]);
                [[unroll]] for (int c = 0; c < 4; c++)
                    v[c] = br_activate(ACT, v[c]);
                y4[p.to_first / 4 + at] = X_T_QUAD(v);
            }
        }
    }
}
