#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#if BR_LANES
#extension GL_KHR_shader_subgroup_shuffle : require
#endif
#if BR_DOT
#extension GL_EXT_spirv_intrinsics : require
#endif
#include "common/types.glsl"
#include "common/activation.glsl"
#include "common/gemm_spec.glsl"
#include "ops/linear.h"

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
#if BR_LANES
layout(set = 0, binding = BR_LINEAR_X) readonly buffer br_x8 { uvec4 x8[]; };
layout(set = 0, binding = BR_LINEAR_W) readonly buffer br_w8 { uvec4 w8[]; };
#endif
layout(set = 0, binding = BR_LINEAR_Y) writeonly buffer br_y { X_T y[]; };
layout(set = 0, binding = BR_LINEAR_BIAS) readonly buffer br_bias { float bias[]; };
layout(set = 0, binding = BR_LINEAR_RESIDUAL) readonly buffer br_residual { X_T residual[]; };
layout(set = 0, binding = BR_LINEAR_RESIDUAL) readonly buffer br_residual_row { float residual_row[]; };

uint gemm_x_row(uint m, uint tap)
{
    return m < p.m ? p.x_first + m * (p.k / X_UNIT) : GEMM_ZERO;
}

uint gemm_w_row(uint n, uint tap)
{
    uint row = n;
    if (GEGLU) {
        n = n / (2 * WX) * WX + n % WX;
        row = n + (row / WX & 1) * p.gate;
    }
    return n < p.n ? p.w_first + row * p.w_stride : GEMM_ZERO;
}

#if BR_DOT
#include "common/gemm_dot.glsl"
#else
#include "common/gemm_load.glsl"
#if BR_LANES
#include "common/gemm_lanes.glsl"
#else
#include "common/gemm.glsl"
#endif
#endif

void main()
{
    uint group = BR_GROUP_INDEX;
    if (group >= p.total)
        return;
    uint m0 = group / p.tiles_n * GEMM_BM;
    uint n0 = group % p.tiles_n * GEMM_BN;
    gemm_tile(m0, n0, 1, p.k);

    [[unroll]] for (uint c = 0; c < TN; c += GEMM_HALVES) {
        uint n = n0 / GEMM_HALVES + GEMM_TX + c / GEMM_HALVES * WX;
        if (n >= p.n)
            continue;
        float b = BIAS ? bias[p.bias_first + n] : 0.0;
        float gate_b = BIAS && GEGLU ? bias[p.bias_first + p.gate + n] : 0.0;
        float row = RESIDUAL == RESIDUAL_ROW ? residual_row[p.residual_first + n] : 0.0;
        [[unroll]] for (uint r = 0; r < TM; r++) {
            uint m = m0 + GEMM_TY + r * WY;
            if (m < p.m) {
                uint at = r * TN + c;
                float v = br_activate(ACT, acc[at] + b) + row;
                if (GEGLU)
                    v *= br_gelu(acc[at + GEMM_HALVES - 1] + gate_b);
                if (RESIDUAL == RESIDUAL_FULL)
                    v += float(residual[p.residual_first + m * p.y_stride + n]);
                if (RESIDUAL == RESIDUAL_GATE)
                    v *= float(residual[p.residual_first + m * p.y_stride + n]);
                y[p.y_first + m * p.y_stride + n] = X_T(v);
            }
        }
    }
}
