// y[i] = scale * u(seed, i), u uniform in [-1, 1): a hash of the element's number, the same on every device.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "common/elementwise.glsl"
#include "ops/random.h"

layout(std430, binding = BR_RANDOM_Y) writeonly buffer Y { X_T y[]; };
layout(std430, binding = BR_RANDOM_Y) writeonly buffer Y4 { X_T4 y4[]; };

// A bijection of 32 bits whose outputs differ in half their bits wherever the inputs differ: C. Wellons, "Prospecting for Hash Functions" (2018), lowbias32.
uint mixed(uint h)
{
    h = (h ^ h >> 16) * 0x7feb352du;
    h = (h ^ h >> 15) * 0x846ca68bu;
    return h ^ h >> 16;
}

// Exact but for the product with the scale: 24 bits.
float drawn(uint number)
{
    return p.scale * (float(mixed(number ^ p.seed) >> 8) * (1.0 / 8388608.0) - 1.0);
}

void main()
{
    uint i = BR_ITEM;
    if (i >= p.total)
        return;
    uint n = p.first + i * VECTOR;
    if (VECTOR == 4)
        y4[p.y_skip / 4 + i] = X_T4(vec4(drawn(n), drawn(n + 1), drawn(n + 2), drawn(n + 3)));
    else
        y[p.y_skip + i] = X_T(drawn(n));
}
