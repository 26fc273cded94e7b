// One step of any sampler: the formulas of br_step in common/abi.h. Every invocation has its own elements of x and of the history, so both are updated in
// place. What a coefficient of 0 switches off is not even read: it may never have been written, and 0 * NaN is NaN.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "common/elementwise.glsl"
#include "ops/sampler_step.h"

layout(constant_id = 2) const bool GUIDED = false;

layout(std430, binding = BR_SAMPLER_STEP_STEP) readonly buffer Step { br_step now; };
layout(std430, binding = BR_SAMPLER_STEP_OUT) readonly buffer Out { X_T model_out[]; };
layout(std430, binding = BR_SAMPLER_STEP_OUT) readonly buffer Out4 { X_T4 model_out4[]; };
layout(std430, binding = BR_SAMPLER_STEP_X) buffer X { float x[]; };
layout(std430, binding = BR_SAMPLER_STEP_X) buffer X4 { vec4 x4[]; };
layout(std430, binding = BR_SAMPLER_STEP_HISTORY) buffer History { float history[]; };
layout(std430, binding = BR_SAMPLER_STEP_HISTORY) buffer History4 { vec4 history4[]; };
layout(std430, binding = BR_SAMPLER_STEP_NOISE) readonly buffer Noise { float noise[]; };
layout(std430, binding = BR_SAMPLER_STEP_NOISE) readonly buffer Noise4 { vec4 noise4[]; };

vec4 read_out(uint i)
{
    if (VECTOR == 4)
        return vec4(model_out4[i]);
    return vec4(float(model_out[i]));
}

vec4 read_x(uint i)
{
    if (VECTOR == 4)
        return x4[i];
    return vec4(x[i]);
}

vec4 read_history(uint i)
{
    if (VECTOR == 4)
        return history4[i];
    return vec4(history[i]);
}

vec4 read_noise(uint i)
{
    if (VECTOR == 4)
        return noise4[i];
    return vec4(noise[i]);
}

void main()
{
    uint i = BR_ITEM;
    if (i >= p.total)
        return;
    vec4 guided = read_out(i);
    if (GUIDED)
        guided += now.guidance * (read_out(p.total + i) - guided);
    vec4 old = read_x(i);
    vec4 sum = now.x_scale * old + now.out_scale * guided;
    for (uint k = 0; k < BR_HISTORY_MAX; k++)
        if (now.history_scale[k] != 0.0)
            sum += now.history_scale[k] * read_history(k * p.total + i);
    if (now.noise_scale != 0.0)
        sum += now.noise_scale * read_noise(i);
    vec4 h = now.h_x * old + now.h_out * guided;
    uint slot = min(now.history_slot, BR_HISTORY_MAX - 1) * p.total + i;
    if (VECTOR == 4) {
        x4[i] = sum;
        history4[slot] = h;
    } else {
        x[i] = sum.x;
        history[slot] = h.x;
    }
}
