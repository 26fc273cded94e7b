// y[row, 0:Ca] = a[row], y[row, Ca:Ca + Cb] = b[row]
#version 450
#extension GL_GOOGLE_include_directive : require
#include "common/elementwise.glsl"
#include "ops/concat.h"

layout(std430, binding = BR_CONCAT_A) readonly buffer A { X_T a[]; };
layout(std430, binding = BR_CONCAT_A) readonly buffer A4 { X_T4 a4[]; };
layout(std430, binding = BR_CONCAT_B) readonly buffer B { X_T b[]; };
layout(std430, binding = BR_CONCAT_B) readonly buffer B4 { X_T4 b4[]; };
layout(std430, binding = BR_CONCAT_Y) writeonly buffer Y { X_T y[]; };
layout(std430, binding = BR_CONCAT_Y) writeonly buffer Y4 { X_T4 y4[]; };

void main()
{
    uint i = BR_ITEM;
    if (i >= p.total)
        return;
    uint width = p.a_width + p.b_width;
    uint row = i / width, c = i % width;
    bool first = c < p.a_width;
    uint from = first ? p.a_skip / VECTOR + row * p.a_width + c : p.b_skip / VECTOR + row * p.b_width + c - p.a_width;
    uint to = p.y_skip / VECTOR + i;
    if (VECTOR == 4) {
        if (first)
            y4[to] = a4[from];
        else
            y4[to] = b4[from];
    } else {
        if (first)
            y[to] = a[from];
        else
            y[to] = b[from];
    }
}
