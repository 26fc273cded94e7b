#version 450
// linear for a few rows (the time embedding): a matrix-vector product reads w once, so TEAM invocations share a column, each taking every TEAM-th
// quad of k for all ROWS rows, and add up in shared memory.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "common/types.glsl"
#include "common/activation.glsl"
#include "common/gemm_spec.glsl"
#include "ops/linear.h"

// Specialization as in gemm_spec.glsl: WX is the team's size, a power of two that divides the workgroup's; TM is at least p.m.
const uint THREADS = gl_WorkGroupSize.x;
const uint COLUMNS = THREADS / WX;

layout(set = 0, binding = BR_LINEAR_X) readonly buffer br_x { X_T x[]; };
layout(set = 0, binding = BR_LINEAR_X) readonly buffer br_x4 { X_T4 x4[]; };
#if W_QUANT
layout(set = 0, binding = BR_LINEAR_W) readonly buffer br_w { uint w[]; };
#include "common/quant.glsl"
#else
layout(set = 0, binding = BR_LINEAR_W) readonly buffer br_w { W_T w[]; };
layout(set = 0, binding = BR_LINEAR_W) readonly buffer br_w4 { W_T4 w4[]; };
#endif
layout(set = 0, binding = BR_LINEAR_Y) writeonly buffer br_y { X_T y[]; };
layout(set = 0, binding = BR_LINEAR_BIAS) readonly buffer br_bias { float bias[]; };
layout(set = 0, binding = BR_LINEAR_RESIDUAL) readonly buffer br_residual { X_T residual[]; };
layout(set = 0, binding = BR_LINEAR_RESIDUAL) readonly buffer br_residual_row { float residual_row[]; };

// Row m of the product is at m, that of the gates at TM + m.
shared float partial[GEMM_HALVES * TM * THREADS];

#if W_QUANT
vec4 load_w(uint n, uint q)
{
    return quant_load(p.w_first + n * p.w_stride, p.w_column + 4 * q, p.w_columns);
}

float load_w1(uint n, uint k)
{
    return load_w(n, k / 4)[k % 4];
}
#else
vec4 load_w(uint n, uint q)
{
    return vec4(w4[(p.w_first + n * p.w_stride) / 4 + q]);
}

float load_w1(uint n, uint k)
{
    return float(w[p.w_first + n * p.w_stride + k]);
}
#endif

void add_products(uint n, uint lane, inout float sum[TM])
{
    if (VEC) {
        for (uint q = lane; q < p.k / 4; q += WX) {
            vec4 b = load_w(n, q);
            [[unroll]] for (uint m = 0; m < TM; m++) {
                if (m < p.m)
                    sum[m] += dot(vec4(x4[(p.x_first + m * p.k) / 4 + q]), b);
            }
        }
    } else {
        for (uint k = lane; k < p.k; k += WX) {
            float b = load_w1(n, k);
            [[unroll]] for (uint m = 0; m < TM; m++) {
                if (m < p.m)
                    sum[m] += float(x[p.x_first + m * p.k + k]) * b;
            }
        }
    }
}

void main()
{
    uint group = BR_GROUP_INDEX;
    if (group >= p.total)
        return;
    uint lid = gl_LocalInvocationIndex;
    uint lane = lid % WX;
    uint n = group * COLUMNS + lid / WX;

    [[unroll]] for (uint h = 0; h < GEMM_HALVES; h++) {
        float sum[TM];
        [[unroll]] for (uint m = 0; m < TM; m++)
            sum[m] = 0.0;
        if (n < p.n)
            add_products(n + h * p.gate, lane, sum);
        [[unroll]] for (uint m = 0; m < TM; m++)
            partial[(h * TM + m) * THREADS + lid] = sum[m];
    }
    for (uint reach = WX / 2; reach > 0; reach /= 2) {
        barrier();
        if (lane < reach) {
            [[unroll]] for (uint m = 0; m < GEMM_HALVES * TM; m++)
                partial[m * THREADS + lid] += partial[m * THREADS + lid + reach];
        }
    }
    if (WX > 1)
        barrier();

    // The team's invocations share the rows among them.
    if (n >= p.n)
        return;
    for (uint m = lane; m < p.m; m += WX) {
        float v = partial[m * THREADS + lid - lane];
        if (BIAS)
            v += bias[p.bias_first + n];
        v = br_activate(ACT, v);
        if (GEGLU) {
            float gate = partial[((GEMM_HALVES - 1) * TM + m) * THREADS + lid - lane];
            v *= br_gelu(BIAS ? gate + bias[p.bias_first + p.gate + n] : gate);
        }
        if (RESIDUAL == RESIDUAL_FULL)
            v += float(residual[p.residual_first + m * p.y_stride + n]);
        if (RESIDUAL == RESIDUAL_ROW)
            v += residual_row[p.residual_first + n];
        if (RESIDUAL == RESIDUAL_GATE)
            v *= float(residual[p.residual_first + m * p.y_stride + n]);
        y[p.y_first + m * p.y_stride + n] = X_T(v);
    }
}
