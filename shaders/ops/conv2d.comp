#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#if BR_MATRIX
#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
#endif
#include "common/quad.glsl"
#include "common/activation.glsl"
#include "common/gemm_spec.glsl"
#include "ops/conv2d.h"

#if BR_PARTS
layout(set = 0, binding = BR_CONV2D_X) readonly buffer br_part { float part[]; };
layout(set = 0, binding = BR_CONV2D_X) readonly buffer br_part4 { vec4 part4[]; };
#else
layout(set = 0, binding = BR_CONV2D_Y) writeonly buffer br_part { float part[]; };
layout(set = 0, binding = BR_CONV2D_Y) writeonly buffer br_part4 { vec4 part4[]; };
layout(set = 0, binding = BR_CONV2D_X) readonly buffer br_x { X_T x[]; };
layout(set = 0, binding = BR_CONV2D_X) readonly buffer br_x4 { X_T4 x4[]; };
layout(set = 0, binding = BR_CONV2D_W) readonly buffer br_w { W_T w[]; };
layout(set = 0, binding = BR_CONV2D_W) readonly buffer br_w4 { W_T4 w4[]; };
#if BR_LANES || BR_MATRIX || BR_BROADCAST
layout(set = 0, binding = BR_CONV2D_X) readonly buffer br_x8 { uvec4 x8[]; };
layout(set = 0, binding = BR_CONV2D_W) readonly buffer br_w8 { uvec4 w8[]; };
#endif
#endif
layout(set = 0, binding = BR_CONV2D_Y) writeonly buffer br_y { X_T y[]; };
layout(set = 0, binding = BR_CONV2D_Y) writeonly buffer br_y4 { X_QUAD y4[]; };
layout(set = 0, binding = BR_CONV2D_BIAS) readonly restrict buffer br_bias { float bias[]; };
layout(set = 0, binding = BR_CONV2D_BIAS) readonly restrict buffer br_bias4 { vec4 bias4[]; };
layout(set = 0, binding = BR_CONV2D_RESIDUAL) readonly buffer br_residual { X_T residual[]; };
layout(set = 0, binding = BR_CONV2D_RESIDUAL) readonly buffer br_residual4 { X_QUAD residual4[]; };

#if !BR_PARTS
layout(constant_id = GEMM_SPEC_NEXT) const bool UPSAMPLED = false; // x is read as if enlarged to height × width

// The input pixel under `tap` of output pixel m; padding and rows past the end are zeros.
uint gemm_x_row(uint m, uint tap)
{
    if (!WHOLE && m >= p.m)
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
#if BR_LANES
    line >>= p.doubled;
    column >>= p.doubled;
#endif
    if (UPSAMPLED) {
        line = int(uint(line) * uint(p.x_height) / uint(p.height));
        column = int(uint(column) * uint(p.x_width) / uint(p.width));
    }
    return p.x_first + picture * p.x_picture + uint((line - p.slab_top) * p.x_width + column) * p.depth;
}

uint gemm_w_row(uint slot, uint tap)
{
    uint n = gemm_column(slot);
    return WHOLE || n < p.n ? p.w_first + (n * p.taps + tap) * p.depth : GEMM_ZERO;
}

#include "common/gemm_load.glsl"
#endif
#include "common/gemm_store.glsl"
#include "common/gemm_parts.glsl"
GEMM_LOAD_STORED(load_bias, bias, F32)
GEMM_LOAD_STORED(load_residual, residual, X_T)

// Channels n .. n + GEMM_V - 1 of output pixel m.
void gemm_store(uint m, uint n, vec4 v, vec4 gate)
{
    if (!WHOLE && (m >= p.m || n >= p.n))
        return;
#if !BR_PARTS
    if (SPLIT) {
        gemm_store_sums(m, n, v, gate);
        return;
    }
#endif
    uint count = p.n - n;
    if (BIAS)
        v += load_bias(p.bias_first + m / p.out_pixels * p.bias_stride + n, count);
    if (GEMM_ADDS_RESIDUAL)
        v += load_residual(p.residual_first + m * p.y_stride + n, count);
    v = br_activate4(ACT, v);
    GEMM_STORE(y, X_T, p.y_first + m * p.y_stride + n, v, count);
}

#if BR_MATRIX
#define GEMM_PADS 1 // rows of x may be padding
#include "common/gemm_matrix.glsl"
#elif !BR_PARTS
#if BR_LANES
#include "common/gemm_lanes.glsl"
#elif BR_BROADCAST
#include "common/gemm_broadcast.glsl"
#else
#include "common/gemm.glsl"
#endif
#include "common/gemm_run.glsl"
#endif

void main()
{
    uint group = BR_GROUP_INDEX;
    if (group >= p.total)
        return;
#if BR_PARTS
    gemm_add_parts(group);
#else
    if (SPLIT)
        group = gemm_take_part(group, p.taps, (p.depth + KQ * 4 - 1) / (KQ * 4));
    gemm_run(GEMM_M0(group), GEMM_N0(group), p.taps, p.depth);
#endif
}
