// y[i] = sin(t * f_i), y[half + i] = cos(t * f_i), f_i = max_period^(-i / (half - shift)); diffusers' get_timestep_embedding.
//
// t goes up to 1000 and more, and Vulkan promises sin() to 2^-11 and within [-pi, pi] only, exp() to 3 + 2|x| units in the last place: a frequency wrong in its
// last bit already turns t = 1000 by 6e-5. So the angle is found in integers, in fractions of a turn, the same on every device: f_i / (2 pi) as the
// product of the factors that belong to the bits of i, in units of 2^-64; times t, where whole turns fall off the top. Only then, within an eighth of a turn
// around the nearest quarter, do floats take over.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "common/types.glsl"
#include "ops/timestep_embedding.h"

layout(local_size_x_id = 0) in;
layout(constant_id = 2) const bool OWN = false; // many times of their own in place of the step's

layout(std430, binding = BR_TIMESTEP_EMBEDDING_TIMES) readonly buffer Step { br_step now; };
layout(std430, binding = BR_TIMESTEP_EMBEDDING_TIMES) readonly buffer Times { float times[]; };
layout(std430, binding = BR_TIMESTEP_EMBEDDING_Y) writeonly buffer Y { float y[]; };

// 64-bit numbers are uvec2(upper, lower).
uvec2 add64(uvec2 a, uvec2 b)
{
    uint carry;
    uint lo = uaddCarry(a.y, b.y, carry);
    return uvec2(a.x + b.x + carry, lo);
}

// a * b for a 32-bit integer; what passes 2^64 is lost.
uvec2 mul32(uvec2 a, uint b)
{
    uint hi, lo;
    umulExtended(a.y, b, hi, lo);
    return uvec2(a.x * b + hi, lo);
}

// floor(a * b / 2^32), exactly
uvec2 mul_fraction32(uvec2 a, uint b)
{
    uint hi, lo, low_hi, low_lo;
    umulExtended(a.x, b, hi, lo);
    umulExtended(a.y, b, low_hi, low_lo);
    return add64(uvec2(hi, lo), uvec2(0, low_hi));
}

// a * b / 2^64, at most 1 too small
uvec2 mul_fraction64(uvec2 a, uvec2 b)
{
    uvec2 low = mul_fraction32(a, b.y);
    uint hi, lo, low_hi, low_lo;
    umulExtended(a.x, b.x, hi, lo);
    umulExtended(a.y, b.x, low_hi, low_lo);
    uint carry;
    uaddCarry(low.y, low_lo, carry);
    return add64(add64(uvec2(hi, lo), uvec2(0, low_hi)), add64(uvec2(0, low.x), uvec2(0, carry)));
}

// (sin, cos) of phase / 2^32 turns. Taylor series to a^9 and a^8: at pi / 4 the next terms are 2e-9 and 3e-8.
vec2 sin_cos(uint phase)
{
    uint quarter = (phase + 0x20000000u) >> 30;
    float a = float(int(phase - (quarter << 30))) * 1.46291808e-9; // 2 pi / 2^32
    float s = a * a;
    float sine = a + a * s * (-1.0 / 6.0 + s * (1.0 / 120.0 + s * (-1.0 / 5040.0 + s / 362880.0)));
    float cosine = 1.0 + s * (-1.0 / 2.0 + s * (1.0 / 24.0 + s * (-1.0 / 720.0 + s / 40320.0)));
    vec2 turned = (quarter & 1u) == 0u ? vec2(sine, cosine) : vec2(cosine, -sine);
    return (quarter & 2u) == 0u ? turned : -turned;
}

void main()
{
    uint item = BR_GROUP_INDEX * gl_WorkGroupSize.x + gl_LocalInvocationID.x;
    if (item >= p.total)
        return;
    uint items = p.half_dim + p.dim % 2, which = item / items, i = item % items, to = which * p.dim;
    if (i == p.half_dim) {
        y[to + p.dim - 1] = 0.0; // diffusers pads an odd dim
        return;
    }
    uvec2 turns = uvec2(0x28be60dbu, 0x9391054au); // 1 / (2 pi)
    for (uint k = 0; k < BR_TIMESTEP_EMBEDDING_FACTORS; k++)
        if ((i >> k & 1u) != 0u)
            turns = mul_fraction64(turns, uvec2(p.factor_hi[k], p.factor_lo[k]));
    float time = OWN ? times[which] : now.timestep;
    float t = min(abs(time), 16777216.0);
    uint whole = uint(t), fraction = uint((t - floor(t)) * 4294967296.0);
    vec2 wave = sin_cos(add64(mul32(turns, whole), mul_fraction32(turns, fraction)).x);
    if (time < 0.0)
        wave.x = -wave.x;
    y[to + i] = p.cos_first != 0u ? wave.y : wave.x;
    y[to + p.half_dim + i] = p.cos_first != 0u ? wave.x : wave.y;
}
