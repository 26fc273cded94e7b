/* Q4_0, Q4_1, Q5_0, Q5_1, Q8_0: 32 elements a block, one scale, and for the _1 types one minimum. */
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
