// y[copy, i] = input_scale * x[i]
#version 450
#extension GL_GOOGLE_include_directive : require
#include "common/elementwise.glsl"
#include "ops/model_input.h"

layout(std430, binding = BR_MODEL_INPUT_STEP) readonly buffer Step { br_step now; };
layout(std430, binding = BR_MODEL_INPUT_X) readonly buffer X { float x[]; };
layout(std430, binding = BR_MODEL_INPUT_X) readonly buffer X4 { vec4 x4[]; };
layout(std430, binding = BR_MODEL_INPUT_Y) writeonly buffer Y { Y_T y[]; };
layout(std430, binding = BR_MODEL_INPUT_Y) writeonly buffer Y4 { Y_T4 y4[]; };

void main()
{
    uint i = BR_ITEM;
    if (i >= p.total)
        return;
    uint from = (p.y_item + i) % p.count;
    uint to = p.y_skip / VECTOR + i;
    if (VECTOR == 4)
        y4[to] = Y_T4(now.input_scale * x4[from]);
    else
        y[to] = Y_T(now.input_scale * x[from]);
}
