// x = mask * x + (1 - mask) * (keep_signal * known + keep_noise * noise), in place
#version 450
#extension GL_GOOGLE_include_directive : require
#include "common/elementwise.glsl"
#include "ops/keep.h"

layout(std430, binding = BR_KEEP_STEP) readonly buffer Step { br_step now; };
layout(std430, binding = BR_KEEP_X) buffer X { float x[]; };
layout(std430, binding = BR_KEEP_MASK) readonly buffer Mask { float mask[]; };
layout(std430, binding = BR_KEEP_KNOWN) readonly buffer Known { float known[]; };
layout(std430, binding = BR_KEEP_NOISE) readonly buffer Noise { float noise[]; };

void main()
{
    uint i = BR_ITEM;
    if (i >= p.total)
        return;
    float paint = mask[i / p.channels];
    x[i] = paint * x[i] + (1.0 - paint) * (now.keep_signal * known[i] + now.keep_noise * noise[i]);
}
