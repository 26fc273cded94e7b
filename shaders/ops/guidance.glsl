// What both stages of guidance share: the formulas of br_step in common/abi.h.
#ifndef BR_GUIDANCE_GLSL
#define BR_GUIDANCE_GLSL

#include "common/types.glsl"
#include "ops/guidance.h"

layout(local_size_x_id = 0) in;
layout(constant_id = 1) const uint COPIES = 2;

layout(std430, binding = BR_GUIDANCE_STEP) readonly buffer Step { br_step now; };
layout(std430, binding = BR_GUIDANCE_OUT) readonly buffer Out { X_T model_out[]; };

float br_conditional(uint i)
{
    return float(model_out[(COPIES - 1) * p.copy + i]);
}

float br_guided(uint i)
{
    float uncond = float(model_out[i]), cond = br_conditional(i);
    if (COPIES == 2)
        return uncond + now.guidance * (cond - uncond);
    float image = float(model_out[p.copy + i]);
    return uncond + now.guidance * (cond - image) + now.image_guidance * (image - uncond);
}

// (mean, M2) of two parts of `a` and `b` elements, by the formula of Chan, Golub and LeVeque (1979).
vec2 br_merge(float a, vec2 first, float b, vec2 second)
{
    float sum = max(a + b, 1.0), distance = second.x - first.x;
    return vec2(first.x + distance * (b / sum), first.y + second.y + distance * distance * (a / sum) * b);
}

#endif
