// y = scale * x + shift in Y_T. Where the layout changes too, item i is channel i % channels of pixel i / channels, and strides say where that lies.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "common/elementwise.glsl"
#include "ops/convert.h"

layout(constant_id = 2) const bool STRIDED = false;

layout(std430, binding = BR_CONVERT_X) readonly buffer X { X_T x[]; };
layout(std430, binding = BR_CONVERT_X) readonly buffer X4 { X_T4 x4[]; };
layout(std430, binding = BR_CONVERT_Y) writeonly buffer Y { Y_T y[]; };
layout(std430, binding = BR_CONVERT_Y) writeonly buffer Y4 { Y_T4 y4[]; };

void main()
{
    uint i = BR_ITEM;
    if (i >= p.total)
        return;
    if (STRIDED) {
        uint c = i % p.channels, row = i / p.channels;
        y[p.y_skip + row * p.y_row + c * p.y_channel] = Y_T(p.scale * float(x[p.x_skip + row * p.x_row + c * p.x_channel]) + p.shift);
    } else if (VECTOR == 4) {
        y4[p.y_skip / 4 + i] = Y_T4(p.scale * vec4(x4[p.x_skip / 4 + i]) + p.shift);
    } else {
        y[p.y_skip + i] = Y_T(p.scale * float(x[p.x_skip + i]) + p.shift);
    }
}
