// y[b, t] = table[tokens[b, t]] + positions[t]. A table that is too large for one binding comes in ranges of rows, one dispatch each, which writes the
// tokens that it covers; so do the rows of an extra table, whose ids follow. Tokens outside the table are clamped, so nothing is read out of bounds.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "common/elementwise.glsl"
#include "ops/embedding.h"

layout(constant_id = 2) const bool POSITIONS = false;

layout(std430, binding = BR_EMBEDDING_TOKENS) readonly buffer Tokens { int tokens[]; };
#if W_QUANT
layout(std430, binding = BR_EMBEDDING_TABLE) readonly buffer Table { uint w[]; };
#define QUANT_SPEC 3
#include "common/quant.glsl"
#else
layout(std430, binding = BR_EMBEDDING_TABLE) readonly buffer Table { W_T table[]; };
layout(std430, binding = BR_EMBEDDING_TABLE) readonly buffer Table4 { W_T4 table4[]; };
#endif
layout(std430, binding = BR_EMBEDDING_POSITIONS) readonly buffer Positions { W_T positions[]; };
layout(std430, binding = BR_EMBEDDING_POSITIONS) readonly buffer Positions4 { W_T4 positions4[]; };
layout(std430, binding = BR_EMBEDDING_Y) writeonly buffer Y { X_T y[]; };
layout(std430, binding = BR_EMBEDDING_Y) writeonly buffer Y4 { X_T4 y4[]; };

vec4 load_table4(uint row, uint d)
{
#if W_QUANT
    return quant_load(p.table_skip + row * p.table_stride, 4 * d, 4 * p.width);
#else
    return vec4(table4[p.table_skip / 4 + row * p.table_stride + d]);
#endif
}

float load_table(uint row, uint d)
{
#if W_QUANT
    return load_table4(row, d / 4)[d % 4];
#else
    return float(table[p.table_skip + row * p.table_stride + d]);
#endif
}

void main()
{
    uint i = BR_ITEM;
    if (i >= p.total)
        return;
    uint token = i / p.width, d = i % p.width;
    uint row = uint(clamp(tokens[p.tokens_skip + token], 0, int(p.vocabulary) - 1)) - p.row_first;
    if (row >= p.row_count) // rows before row_first wrap around to large numbers
        return;
    uint position = (p.token_first + token) % p.tokens - p.position_first;
    uint shift = p.positions_skip / VECTOR + position * p.width + d;
    uint to = p.y_skip / VECTOR + i;
    if (VECTOR == 4) {
        vec4 value = load_table4(row, d);
        if (POSITIONS)
            value += vec4(positions4[shift]);
        y4[to] = X_T4(value);
    } else {
        float value = load_table(row, d);
        if (POSITIONS)
            value += float(positions[shift]);
        y[to] = X_T(value);
    }
}
