// y[row, d] = x[row, d] * gelu(x[row, D + d])
#version 450
#extension GL_GOOGLE_include_directive : require
#include "common/activation.glsl"
#include "common/elementwise.glsl"
#include "ops/geglu.h"

layout(std430, binding = BR_GEGLU_X) readonly buffer X { X_T x[]; };
layout(std430, binding = BR_GEGLU_X) readonly buffer X4 { X_T4 x4[]; };
layout(std430, binding = BR_GEGLU_Y) writeonly buffer Y { X_T y[]; };
layout(std430, binding = BR_GEGLU_Y) writeonly buffer Y4 { X_T4 y4[]; };

void main()
{
    uint i = BR_ITEM;
    if (i >= p.total)
        return;
    uint value = p.x_skip / VECTOR + i / p.width * 2 * p.width + i % p.width;
    uint gate = value + p.width;
    if (VECTOR == 4)
        y4[p.y_skip / 4 + i] = X_T4(vec4(x4[value]) * br_activate4(BR_ACT_GELU, vec4(x4[gate])));
    else
        y[p.y_skip + i] = X_T(float(x[value]) * br_gelu(float(x[gate])));
}
