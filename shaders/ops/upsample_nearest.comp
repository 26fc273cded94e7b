// y[b, i, j, c] = x[b, floor(i * H / H'), floor(j * W / W'), c]; in integers, because floats round the quotients of some sizes up.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "common/elementwise.glsl"
#include "ops/upsample_nearest.h"

layout(std430, binding = BR_UPSAMPLE_NEAREST_X) readonly buffer X { X_T x[]; };
layout(std430, binding = BR_UPSAMPLE_NEAREST_X) readonly buffer X4 { X_T4 x4[]; };
layout(std430, binding = BR_UPSAMPLE_NEAREST_Y) writeonly buffer Y { X_T y[]; };
layout(std430, binding = BR_UPSAMPLE_NEAREST_Y) writeonly buffer Y4 { X_T4 y4[]; };

void main()
{
    uint i = BR_ITEM;
    if (i >= p.total)
        return;
    uint c = i % p.channels, pixel = i / p.channels;
    uint column = pixel % p.y_width, line = p.y_line + pixel / p.y_width;
    uint picture = line / p.y_height, row = line % p.y_height;
    uint x_line = picture * p.x_height + row * p.x_height / p.y_height - p.x_line;
    uint x_column = column * p.x_width / p.y_width;
    uint from = p.x_skip / VECTOR + (x_line * p.x_width + x_column) * p.channels + c;
    uint to = p.y_skip / VECTOR + i;
    if (VECTOR == 4)
        y4[to] = x4[from];
    else
        y[to] = x[from];
}
