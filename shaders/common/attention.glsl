// What the forms of attention share: bindings, loads and stores of four neighbours, the masked score.
#ifndef BR_ATTENTION_GLSL
#define BR_ATTENTION_GLSL

#include "common/quad.glsl"
#include "ops/attention.h"

layout(local_size_x_id = 0) in;
#if BR_UNROLLED
const uint QUADS = BR_UNROLLED;
const bool VEC = true;
#else
layout(constant_id = 1) const uint QUADS = 1;       // of columns: see the shaders
layout(constant_id = 2) const bool VEC = false;     // the head's width, all strides and all first elements are multiples of 4
#endif
layout(constant_id = 3) const bool CAUSAL = false;

layout(set = 0, binding = BR_ATTENTION_Q) readonly buffer br_q { X_T q[]; };
layout(set = 0, binding = BR_ATTENTION_Q) readonly buffer br_q4 { X_QUAD q4[]; };
layout(set = 0, binding = BR_ATTENTION_K) readonly buffer br_k { X_T k[]; };
layout(set = 0, binding = BR_ATTENTION_K) readonly buffer br_k4 { X_QUAD k4[]; };
layout(set = 0, binding = BR_ATTENTION_V) readonly buffer br_v { X_T v[]; };
layout(set = 0, binding = BR_ATTENTION_V) readonly buffer br_v4 { X_QUAD v4[]; };
layout(set = 0, binding = BR_ATTENTION_Y) writeonly buffer br_y { X_T y[]; };
layout(set = 0, binding = BR_ATTENTION_Y) writeonly buffer br_y4 { X_QUAD y4[]; };

// Stands for minus infinity: a masked score, and the running maximum before the first one. Finite, so that no driver makes NaN of it.
const float LOWEST = -3.0e38;

// Elements at + 4 · quad .. at + 4 · quad + 3, a head's columns from number `column` on; zeros past its width. In fours without a branch, so that loads follow
// one another: NVK makes one of every `&&` and `?:`. EXISTS: VEC, and there is no quad past the width.
#define ATTENTION_LOAD(NAME, BUFFER, EXISTS)                               \
    vec4 NAME(uint at, uint quad, uint column)                             \
    {                                                                      \
        if (EXISTS)                                                        \
            return X_T_VALUE(BUFFER##4[(at >> 2) + quad]);                 \
        bool ok = column < p.head_width;                                   \
        if (VEC) {                                                         \
            uint found = mix(0u, (at >> 2) + quad, ok);                    \
            return mix(vec4(0.0), X_T_VALUE(BUFFER##4[found]), bvec4(ok)); \
        }                                                                  \
        if (!ok)                                                           \
            return vec4(0.0);                                              \
        uint first = at + quad * 4;                                        \
        vec4 result = vec4(float(BUFFER[first]), 0.0, 0.0, 0.0);           \
        if (column + 1 < p.head_width)                                     \
            result.y = float(BUFFER[first + 1]);                           \
        if (column + 2 < p.head_width)                                     \
            result.z = float(BUFFER[first + 2]);                           \
        if (column + 3 < p.head_width)                                     \
            result.w = float(BUFFER[first + 3]);                           \
        return result;                                                     \
    }

void store_y(uint row, uint column, vec4 value)
{
    if (VEC) {
        y4[(row + column) >> 2] = X_T_QUAD(value);
        return;
    }
    y[row + column] = X_T(value.x);
    if (column + 1 < p.head_width)
        y[row + column + 1] = X_T(value.y);
    if (column + 2 < p.head_width)
        y[row + column + 2] = X_T(value.z);
    if (column + 3 < p.head_width)
        y[row + column + 3] = X_T(value.w);
}

// A product of a query and a key as an exponent of two. Products that overflowed to minus infinity weigh nothing, like masked ones.
float score(float product, uint row, uint key)
{
    bool seen = all(bvec2(key < p.keys, any(bvec2(!CAUSAL, key <= p.first_row + row))));
    return mix(LOWEST, max(product * p.scale, LOWEST), seen);
}

float weight(float score_value, float maximum)
{
    return mix(0.0, exp2(score_value - maximum), score_value > LOWEST);
}

#endif
