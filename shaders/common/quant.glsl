// Reads rows of blocks, laid out as common/quant.h says, from the buffer `uint w[]` of the shader that includes this. `row` is a row's first word, `k` a
// column, `columns` their number. Every number is value = scale.x · (q - zero) + scale.y.
#ifndef BR_QUANT_GLSL
#define BR_QUANT_GLSL

#include "common/quant.h"

#ifndef QUANT_SPEC
#define QUANT_SPEC GEMM_SPEC_NEXT // of common/gemm_spec.glsl
#endif
layout(constant_id = QUANT_SPEC) const int QUANT = BR_QUANT_Q8_0;

const bool QUANT_SUPER = QUANT >= BR_QUANT_Q2_K;
const bool QUANT_MIN_WORD = QUANT == BR_QUANT_Q4_1 || QUANT == BR_QUANT_Q5_1;
// Numbers with the same scale.
const uint QUANT_GROUP = QUANT == BR_QUANT_Q2_K || QUANT == BR_QUANT_Q3_K || QUANT == BR_QUANT_Q6_K ? 16 : 32;
const uint QUANT_LOW = QUANT == BR_QUANT_Q8_0 ? 8 : QUANT == BR_QUANT_Q2_K || QUANT == BR_QUANT_Q3_K ? 2 : 4;
const uint QUANT_HIGH = QUANT == BR_QUANT_Q6_K                                                                                 ? 2
                        : QUANT == BR_QUANT_Q5_0 || QUANT == BR_QUANT_Q5_1 || QUANT == BR_QUANT_Q5_K || QUANT == BR_QUANT_Q3_K ? 1
                                                                                                                               : 0;
const uint QUANT_ZERO = QUANT == BR_QUANT_Q8_0   ? 128
                        : QUANT == BR_QUANT_Q6_K ? 32
                        : QUANT == BR_QUANT_Q5_0 ? 16
                        : QUANT == BR_QUANT_Q4_0 ? 8
                        : QUANT == BR_QUANT_Q3_K ? 4
                                                 : 0;
const uint QUANT_LOW_MASK = ((1 << QUANT_LOW) - 1) * 0x01010101u;
const uint QUANT_HIGH_MASK = ((1 << QUANT_HIGH) - 1) * 0x01010101u;

// The numbers of columns k .. k + 3, k a multiple of 4, as four bytes. Q8_0: offset by 128, as all are counted from zero.
uint quant_bytes(uint row, uint k, uint columns)
{
    uint quad = k / 4;
    uint bytes = w[row + quad * QUANT_LOW / 8] >> quad * QUANT_LOW % 8 & QUANT_LOW_MASK;
    if (QUANT_HIGH > 0) {
        uint high = w[row + columns / 32 * QUANT_LOW + quad * QUANT_HIGH / 8] >> quad * QUANT_HIGH % 8;
        bytes |= (high & QUANT_HIGH_MASK) << QUANT_LOW;
    }
    return QUANT == BR_QUANT_Q8_0 ? bytes ^ 0x80808080u : bytes;
}

// Number `index` of halves that begin at word `at`.
float quant_half(uint at, uint index)
{
    vec2 pair = unpackHalf2x16(w[at + index / 2]);
    return index % 2 == 0 ? pair.x : pair.y;
}

vec2 quant_super_scale(uint at, uint k, uint columns)
{
    uint block = k / 256, g = k % 256 / QUANT_GROUP;
    if (QUANT == BR_QUANT_Q2_K) {
        at += block * 5;
        uint s = w[at + 1 + g / 4] >> g % 4 * 8;
        return unpackHalf2x16(w[at]) * vec2(float(s & 15), -float(s >> 4 & 15));
    }
    if (QUANT == BR_QUANT_Q3_K) {
        uint from = at + block * 3;
        uint s = w[from + g / 8] >> g % 8 * 4 & 15 | (w[from + 2] >> g * 2 & 3) << 4;
        return vec2(quant_half(at + columns / 256 * 3, block) * (float(s) - 32.0), 0.0);
    }
    if (QUANT == BR_QUANT_Q6_K) {
        int s = bitfieldExtract(int(w[at + block * 4 + g / 4]), int(g % 4 * 8), 8);
        return vec2(quant_half(at + columns / 256 * 4, block) * float(s), 0.0);
    }
    at += block * 4;
    uint low = w[at + 1 + g / 4] >> g % 4 * 8, high = w[at + 3] >> g * 4;
    uint s = low & 15 | (high & 3) << 4, m = low >> 4 & 15 | (high >> 2 & 3) << 4;
    return unpackHalf2x16(w[at]) * vec2(float(s), -float(m));
}

// Of the group that column k is in.
vec2 quant_scale(uint row, uint k, uint columns)
{
    uint at = row + columns / 32 * (QUANT_LOW + QUANT_HIGH);
    if (QUANT_SUPER)
        return quant_super_scale(at, k, columns);
    if (QUANT_MIN_WORD)
        return unpackHalf2x16(w[at + k / 32]);
    return vec2(quant_half(at, k / 32), 0.0);
}

vec4 quant_values(uint bytes, vec2 scale)
{
    vec4 q = vec4(uvec4(bytes, bytes >> 8, bytes >> 16, bytes >> 24) & 0xff);
    return (q - float(QUANT_ZERO)) * scale.x + scale.y;
}

// Columns k .. k + 3, k a multiple of 4 below `columns`.
vec4 quant_load(uint row, uint k, uint columns)
{
    return quant_values(quant_bytes(row, k, columns), quant_scale(row, k, columns));
}

#endif
