// y = a + b
#version 450
#extension GL_GOOGLE_include_directive : require
#include "common/elementwise.glsl"
#include "ops/add.h"

layout(std430, binding = BR_ADD_A) readonly buffer A { X_T a[]; };
layout(std430, binding = BR_ADD_A) readonly buffer A4 { X_T4 a4[]; };
layout(std430, binding = BR_ADD_B) readonly buffer B { X_T b[]; };
layout(std430, binding = BR_ADD_B) readonly buffer B4 { X_T4 b4[]; };
layout(std430, binding = BR_ADD_Y) writeonly buffer Y { X_T y[]; };
layout(std430, binding = BR_ADD_Y) writeonly buffer Y4 { X_T4 y4[]; };

void main()
{
    uint i = BR_ITEM;
    if (i >= p.total)
        return;
    if (VECTOR == 4)
        y4[p.y_skip / 4 + i] = X_T4(vec4(a4[p.a_skip / 4 + i]) + vec4(b4[p.b_skip / 4 + i]));
    else
        y[p.y_skip + i] = X_T(float(a[p.a_skip + i]) + float(b[p.b_skip + i]));
}
