// y = act(x)
#version 450
#extension GL_GOOGLE_include_directive : require
#include "common/activation.glsl"
#include "common/elementwise.glsl"
#include "ops/activation.h"

layout(constant_id = 2) const int KIND = BR_ACT_NONE;

layout(std430, binding = BR_ACTIVATION_X) readonly buffer X { X_T x[]; };
layout(std430, binding = BR_ACTIVATION_X) readonly buffer X4 { X_T4 x4[]; };
layout(std430, binding = BR_ACTIVATION_Y) writeonly buffer Y { X_T y[]; };
layout(std430, binding = BR_ACTIVATION_Y) writeonly buffer Y4 { X_T4 y4[]; };

void main()
{
    uint i = BR_ITEM;
    if (i >= p.total)
        return;
    if (VECTOR == 4)
        y4[p.y_skip / 4 + i] = X_T4(br_activate4(KIND, vec4(x4[p.x_skip / 4 + i])));
    else
        y[p.y_skip + i] = X_T(br_activate(KIND, float(x[p.x_skip + i])));
}
