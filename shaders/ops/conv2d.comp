#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#if BR_LANES
#extension GL_KHR_shader_subgroup_shuffle : require
#endif
#include "common/types.glsl"
#include "common/activation.glsl"
#include "common/gemm_spec.glsl"
#include "ops/conv2d.h"

layout(set = 0, binding = BR_CONV2D_X) readonly buffer br_x { X_T x[]; };
layout(set = 0, binding = BR_CONV2D_X) readonly buffer br_x4 { X_T4 x4[]; };
layout(set = 0, binding = BR_CONV2D_W) readonly buffer br_w { W_T w[]; };
layout(set = 0, binding = BR_CONV2D_W) readonly buffer br_w4 { W_T4 w4[]; };
#if BR_LANES
layout(set = 0, binding = BR_CONV2D_X) readonly buffer br_x8 { uvec4 x8[]; };
layout(set = 0, binding = BR_CONV2D_W) readonly buffer br_w8 { uvec4 w8[]; };
#endif
layout(set = 0, binding = BR_CONV2D_Y) writeonly buffer br_y { X_T y[]; };
layout(set = 0, binding = BR_CONV2D_BIAS) readonly buffer br_bias { float bias[]; };
layout(set = 0, binding = BR_CONV2D_RESIDUAL) readonly buffer br_residual { X_T residual[]; };

layout(constant_id = 9) const bool UPSAMPLED = false; // x is read as if enlarged to height × width; behind those of common/gemm_spec.glsl

// The input pixel under `tap` of output pixel m; padding and rows past the end are zeros.
uint gemm_x_row(uint m, uint tap)
{
    if (m >= p.m)
        return GEMM_ZERO;
    uint picture = m / p.out_pixels;
    uint pixel = m - picture * p.out_pixels;
    uint out_y = pixel / p.out_width;
    uint out_x = pixel - out_y * p.out_width;
    uint tap_y = tap / p.kernel_w;
    int line = int((p.y0 + out_y) * p.stride + tap_y) - p.pad_top;
    int column = int(out_x * p.stride + tap - tap_y * p.kernel_w) - p.pad_left;
    if (line < 0 || line >= p.height || column < 0 || column >= p.width)
        return GEMM_ZERO;
    if (UPSAMPLED) {
        line = int(uint(line) * uint(p.x_height) / uint(p.height));
        column = int(uint(column) * uint(p.x_width) / uint(p.width));
    }
    return p.x_first + picture * p.x_picture + uint((line - p.slab_top) * p.x_width + column) * p.depth;
}

uint gemm_w_row(uint n, uint tap)
{
    return n < p.n ? p.w_first + (n * p.taps + tap) * p.depth : GEMM_ZERO;
}

#include "common/gemm_load.glsl"
#if BR_LANES
#include "common/gemm_lanes.glsl"
#else
#include "common/gemm.glsl"
#endif

void main()
{
    uint group = BR_GROUP_INDEX;
    if (group >= p.total)
        return;
    uint m0 = group / p.tiles_n * GEMM_BM;
    uint n0 = group % p.tiles_n * GEMM_BN;
    gemm_tile(m0, n0, p.taps, p.depth);

    [[unroll]] for (uint r = 0; r < TM; r++) {
        uint m = m0 + GEMM_TY + r * WY;
        if (m >= p.m)
            continue;
        uint bias_row = p.bias_first + m / p.out_pixels * p.bias_stride;
        [[unroll]] for (uint c = 0; c < TN; c++) {
            uint n = n0 + GEMM_TX + c * WX;
            if (n < p.n) {
                float v = acc[r * TN + c];
                if (BIAS)
                    v += bias[bias_row + n];
                if (RESIDUAL == RESIDUAL_FULL)
                    v += float(residual[p.residual_first + m * p.y_stride + n]);
                y[p.y_first + m * p.y_stride + n] = X_T(br_activate(ACT, v));
            }
        }
    }
}
