/* Q4_0, Q4_1, Q5_0, Q5_1, Q8_0: 32 elements a block, one scale, and for the _1 types one minimum. Encoding rounds where ggml's
 * quantize_row_*_ref round (src/ggml-quants.c), so that a model converted here and there is the same file. */
#include <math.h>
#include <string.h>

#include "base/f16.h"
#include "weights/quant_blocks.h"
#include "weights/quant_codec.h"

#define HALF (BR_QUANT_BLOCK / 2)

static uint32_t bits_from(const uint8_t bytes[4])
{
    return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

void br_decode_q4_0(const uint8_t *source, size_t blocks, float *out_values)
{
    br_block_q4_0 block;
    for (; blocks > 0; blocks--, source += sizeof block, out_values += BR_QUANT_BLOCK) {
        memcpy(&block, source, sizeof block);
        float d = br_f32_from_f16(block.d);
        for (int j = 0; j < HALF; j++) {
            out_values[j] = d * (float)((block.qs[j] & 15) - 8);
            out_values[HALF + j] = d * (float)((block.qs[j] >> 4) - 8);
        }
    }
}

void br_decode_q4_1(const uint8_t *source, size_t blocks, float *out_values)
{
    br_block_q4_1 block;
    for (; blocks > 0; blocks--, source += sizeof block, out_values += BR_QUANT_BLOCK) {
        memcpy(&block, source, sizeof block);
        float d = br_f32_from_f16(block.d), m = br_f32_from_f16(block.m);
        for (int j = 0; j < HALF; j++) {
            out_values[j] = d * (float)(block.qs[j] & 15) + m;
            out_values[HALF + j] = d * (float)(block.qs[j] >> 4) + m;
        }
    }
}

void br_decode_q5_0(const uint8_t *source, size_t blocks, float *out_values)
{
    br_block_q5_0 block;
    for (; blocks > 0; blocks--, source += sizeof block, out_values += BR_QUANT_BLOCK) {
        memcpy(&block, source, sizeof block);
        float d = br_f32_from_f16(block.d);
        uint32_t high = bits_from(block.qh);
        for (int j = 0; j < HALF; j++) {
            out_values[j] = d * (float)((int)((block.qs[j] & 15u) | (high >> j & 1) << 4) - 16);
            out_values[HALF + j] = d * (float)((int)(block.qs[j] >> 4 | (high >> (HALF + j) & 1) << 4) - 16);
        }
    }
}

void br_decode_q5_1(const uint8_t *source, size_t blocks, float *out_values)
{
    br_block_q5_1 block;
    for (; blocks > 0; blocks--, source += sizeof block, out_values += BR_QUANT_BLOCK) {
        memcpy(&block, source, sizeof block);
        float d = br_f32_from_f16(block.d), m = br_f32_from_f16(block.m);
        uint32_t high = bits_from(block.qh);
        for (int j = 0; j < HALF; j++) {
            out_values[j] = d * (float)((block.qs[j] & 15u) | (high >> j & 1) << 4) + m;
            out_values[HALF + j] = d * (float)(block.qs[j] >> 4 | (high >> (HALF + j) & 1) << 4) + m;
        }
    }
}

void br_decode_q8_0(const uint8_t *source, size_t blocks, float *out_values)
{
    br_block_q8_0 block;
    for (; blocks > 0; blocks--, source += sizeof block, out_values += BR_QUANT_BLOCK) {
        memcpy(&block, source, sizeof block);
        float d = br_f32_from_f16(block.d);
        for (int j = 0; j < BR_QUANT_BLOCK; j++)
            out_values[j] = d * (float)block.qs[j];
    }
}

/* ---- encoding ---- */

static void bits_to(uint32_t bits, uint8_t out_bytes[4])
{
    for (int i = 0; i < 4; i++)
        out_bytes[i] = (uint8_t)(bits >> 8 * i);
}

static float inverse(float d)
{
    return d != 0 ? 1 / d : 0;
}

/* Towards zero, within 0 .. high; NaN is 0. */
static unsigned truncate_to(float value, float high)
{
    return value > 0 ? (unsigned)(value < high ? value : high) : 0;
}

/* The first of the values with the largest magnitude. */
static float widest(const float *x)
{
    float result = x[0];
    for (int i = 1; i < BR_QUANT_BLOCK; i++)
        result = fabsf(x[i]) > fabsf(result) ? x[i] : result;
    return result;
}

static void extremes(const float *x, float *out_low, float *out_high)
{
    *out_low = *out_high = x[0];
    for (int i = 1; i < BR_QUANT_BLOCK; i++) {
        *out_low = x[i] < *out_low ? x[i] : *out_low;
        *out_high = x[i] > *out_high ? x[i] : *out_high;
    }
}

void br_encode_q4_0(const float *values, size_t blocks, uint8_t *out_blocks)
{
    br_block_q4_0 block;
    for (; blocks > 0; blocks--, values += BR_QUANT_BLOCK, out_blocks += sizeof block) {
        float d = widest(values) / -8, id = inverse(d);
        block.d = br_f32_to_f16(d);
        for (int j = 0; j < HALF; j++)
            block.qs[j] = (uint8_t)(truncate_to(values[j] * id + 8.5f, 15) | truncate_to(values[HALF + j] * id + 8.5f, 15) << 4);
        memcpy(out_blocks, &block, sizeof block);
    }
}

void br_encode_q4_1(const float *values, size_t blocks, uint8_t *out_blocks)
{
    br_block_q4_1 block;
    for (; blocks > 0; blocks--, values += BR_QUANT_BLOCK, out_blocks += sizeof block) {
        float low, high;
        extremes(values, &low, &high);
        float d = (high - low) / 15, id = inverse(d);
        block.d = br_f32_to_f16(d);
        block.m = br_f32_to_f16(low);
        for (int j = 0; j < HALF; j++)
            block.qs[j] = (uint8_t)(truncate_to((values[j] - low) * id + 0.5f, 15) |
                                    truncate_to((values[HALF + j] - low) * id + 0.5f, 15) << 4);
        memcpy(out_blocks, &block, sizeof block);
    }
}

/* Codes of five bits to nibbles and high bits. */
static void pack_5(const uint8_t codes[BR_QUANT_BLOCK], uint8_t out_qh[4], uint8_t out_qs[HALF])
{
    uint32_t high = 0;
    for (int i = 0; i < BR_QUANT_BLOCK; i++)
        high |= (uint32_t)(codes[i] >> 4) << i;
    bits_to(high, out_qh);
    for (int j = 0; j < HALF; j++)
        out_qs[j] = (uint8_t)((codes[j] & 15) | (codes[HALF + j] & 15) << 4);
}

void br_encode_q5_0(const float *values, size_t blocks, uint8_t *out_blocks)
{
    br_block_q5_0 block;
    uint8_t codes[BR_QUANT_BLOCK];
    for (; blocks > 0; blocks--, values += BR_QUANT_BLOCK, out_blocks += sizeof block) {
        float d = widest(values) / -16, id = inverse(d);
        block.d = br_f32_to_f16(d);
        for (int i = 0; i < BR_QUANT_BLOCK; i++)
            codes[i] = (uint8_t)truncate_to(values[i] * id + 16.5f, 31);
        pack_5(codes, block.qh, block.qs);
        memcpy(out_blocks, &block, sizeof block);
    }
}

void br_encode_q5_1(const float *values, size_t blocks, uint8_t *out_blocks)
{
    br_block_q5_1 block;
    uint8_t codes[BR_QUANT_BLOCK];
    for (; blocks > 0; blocks--, values += BR_QUANT_BLOCK, out_blocks += sizeof block) {
        float low, high;
        extremes(values, &low, &high);
        float d = (high - low) / 31, id = inverse(d);
        block.d = br_f32_to_f16(d);
        block.m = br_f32_to_f16(low);
        for (int i = 0; i < BR_QUANT_BLOCK; i++)
            codes[i] = (uint8_t)truncate_to((values[i] - low) * id + 0.5f, 31);
        pack_5(codes, block.qh, block.qs);
        memcpy(out_blocks, &block, sizeof block);
    }
}

void br_encode_q8_0(const float *values, size_t blocks, uint8_t *out_blocks)
{
    br_block_q8_0 block;
    for (; blocks > 0; blocks--, values += BR_QUANT_BLOCK, out_blocks += sizeof block) {
        float d = fabsf(widest(values)) / 127, id = inverse(d);
        block.d = br_f32_to_f16(d);
        for (int i = 0; i < BR_QUANT_BLOCK; i++) {
            /* Half away from zero. Values beyond the widest are NaN or come of an infinite inverse. */
            float code = roundf(values[i] * id);
            block.qs[i] = (int8_t)(code > -127 ? (code < 127 ? code : 127) : -127);
        }
        memcpy(out_blocks, &block, sizeof block);
    }
}
