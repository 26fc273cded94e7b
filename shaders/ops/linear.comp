#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#if BR_DOT
#extension GL_EXT_spirv_intrinsics : require
#endif
#if BR_MATRIX
#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
#endif
#include "common/quad.glsl"
#include "common/activation.glsl"
#include "common/gemm_spec.glsl"
#include "ops/linear.h"

#if BR_PARTS
layout(set = 0, binding = BR_LINEAR_X) readonly buffer br_part { float part[]; };
layout(set = 0, binding = BR_LINEAR_X) readonly buffer br_part4 { vec4 part4[]; };
#else
layout(set = 0, binding = BR_LINEAR_Y) writeonly buffer br_part { float part[]; };
layout(set = 0, binding = BR_LINEAR_Y) writeonly buffer br_part4 { vec4 part4[]; };
#if BR_DOT
layout(set = 0, binding = BR_LINEAR_X) readonly buffer br_x { uvec4 x_packed[]; };
layout(set = 0, binding = BR_LINEAR_X_SCALES) readonly buffer br_x_scales { vec2 x_scales[]; };
const uint X_UNIT = 16; // columns of x an element of its buffer
#else
layout(set = 0, binding = BR_LINEAR_X) readonly buffer br_x { X_T x[]; };
layout(set = 0, binding = BR_LINEAR_X) readonly buffer br_x4 { X_T4 x4[]; };
const uint X_UNIT = 1;
#endif
#if W_QUANT
layout(set = 0, binding = BR_LINEAR_W) readonly buffer br_w { uint w[]; };
#include "common/quant.glsl"
#else
layout(set = 0, binding = BR_LINEAR_W) readonly buffer br_w { W_T w[]; };
layout(set = 0, binding = BR_LINEAR_W) readonly buffer br_w4 { W_T4 w4[]; };
#endif
#if BR_LANES || BR_MATRIX || BR_BROADCAST
layout(set = 0, binding = BR_LINEAR_X) readonly buffer br_x8 { uvec4 x8[]; };
layout(set = 0, binding = BR_LINEAR_W) readonly buffer br_w8 { uvec4 w8[]; };
#endif
#endif
layout(set = 0, binding = BR_LINEAR_Y) writeonly buffer br_y { X_T y[]; };
layout(set = 0, binding = BR_LINEAR_Y) writeonly buffer br_y4 { X_QUAD y4[]; };
layout(set = 0, binding = BR_LINEAR_BIAS) readonly restrict buffer br_bias { float bias[]; };
layout(set = 0, binding = BR_LINEAR_BIAS) readonly restrict buffer br_bias4 { vec4 bias4[]; };
layout(set = 0, binding = BR_LINEAR_RESIDUAL) readonly buffer br_residual { X_T residual[]; };
layout(set = 0, binding = BR_LINEAR_RESIDUAL) readonly buffer br_residual4 { X_QUAD residual4[]; };
layout(set = 0, binding = BR_LINEAR_RESIDUAL) readonly buffer br_residual_row { float residual_row[]; };
layout(set = 0, binding = BR_LINEAR_RESIDUAL) readonly buffer br_residual_row4 { vec4 residual_row4[]; };

#if !BR_PARTS
uint gemm_x_row(uint m, uint tap)
{
    return WHOLE || m < p.m ? p.x_first + m * (p.k / X_UNIT) : GEMM_ZERO;
}

uint gemm_w_row(uint slot, uint tap)
{
    uint column = gemm_column(slot);
    uint n = gemm_is_gate(slot) ? column + p.gate : column;
    return WHOLE || column < p.n ? p.w_first + n * p.w_stride : GEMM_ZERO;
}

#if BR_LANES
// The bias, loaded once for all rows.
#define GEMM_FIRST_SUM(slot) first_sum(slot)
float first_sum(uint slot)
{
    uint column = gemm_column(slot);
    if (p.bias_first == BR_ABSENT || !(WHOLE || column < p.n))
        return 0.0;
    return bias[p.bias_first + column + (gemm_is_gate(slot) ? p.gate : 0)];
}
#endif

#if BR_NORM_X
#define GEMM_NORM(quad, row, k, depth) gemm_norm(quad, row, k, depth)
vec4 gemm_norm(vec4 quad, uint row, uint k, uint depth);
#endif
#if !BR_DOT
#include "common/gemm_load.glsl"
#endif
#endif
#include "common/gemm_store.glsl"
#include "common/gemm_parts.glsl"
GEMM_LOAD_STORED(load_bias, bias, F32)
GEMM_LOAD_STORED(load_residual, residual, X_T)
GEMM_LOAD_STORED(load_residual_row, residual_row, F32)

// Columns n .. n + GEMM_V - 1 of row m of y, from the sums of values and of gates.
vec4 gemm_finish(uint m, uint n, vec4 v, vec4 gate)
{
    uint count = p.n - n, residual_at = p.residual_first + m * p.y_stride + n;
#if BR_LANES
    const bool add_bias = false; // the sums began with it
#else
    const bool add_bias = BIAS;
#endif
    if (add_bias)
        v += load_bias(p.bias_first + n, count);
    v = br_activate4(ACT, v);
    if (GEGLU)
        v *= br_activate4(BR_ACT_GELU, add_bias ? gate + load_bias(p.bias_first + p.gate + n, count) : gate);
    if (GEMM_ADDS_RESIDUAL)
        v += load_residual(residual_at, count);
    if (RESIDUAL == RESIDUAL_GATE)
        v *= load_residual(residual_at, count);
    if (RESIDUAL == RESIDUAL_ROW)
        v += load_residual_row(p.residual_first + n, count);
    return v;
}

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
    v = gemm_finish(m, n, v, gate);
    GEMM_STORE(y, X_T, p.y_first + m * p.y_stride + n, v, p.n - n);
}

#if BR_NORM
#include "common/parts_norm.glsl"
#endif

#if BR_MATRIX
#include "common/gemm_matrix.glsl"
#elif !BR_PARTS
#if BR_DOT
#include "common/gemm_dot.glsl"
#elif BR_LANES
#include "common/gemm_lanes.glsl"
#elif BR_BROADCAST
#include "common/gemm_broadcast.glsl"
#else
#include "common/gemm.glsl"
#endif
#include "common/gemm_run.glsl"
#if BR_NORM_X
#include "common/gemm_norm.glsl"
#endif
#endif

void main()
{
    uint group = BR_GROUP_INDEX;
    if (group >= p.total)
        return;
#if BR_NORM
    add_parts_and_norm(group);
#elif BR_PARTS
    gemm_add_parts(group);
#else
    if (SPLIT)
        group = gemm_take_part(group, 1, (p.k + KQ * 4 - 1) / (KQ * 4));
#if BR_NORM_X
    gemm_norm_find(GEMM_M0(group), p.k);
#endif
    gemm_run(GEMM_M0(group), GEMM_N0(group), 1, p.k);
#endif
}
