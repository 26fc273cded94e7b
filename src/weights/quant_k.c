/* Q2_K .. Q6_K: 256 elements a block in groups of 16 or 32, whose own scales are small integers times that of the block. */
#include <string.h>

#include "base/f16.h"
#include "weights/quant_blocks.h"
#include "weights/quant_codec.h"

/* A block taken apart: element e of group g is scale[g] * q[e] - minimum[g]. */
typedef struct parts {
    int8_t q[BR_QUANT_SUPER_BLOCK];
    float scale[16], minimum[16];
} parts;

/* ---- fields ---- */

/* Two bits an element, as qs of Q2_K and Q3_K and qh of Q6_K. */
static void unpack_pairs(const uint8_t bytes[64], uint8_t out_bits[BR_QUANT_SUPER_BLOCK])
{
    for (int e = 0; e < BR_QUANT_SUPER_BLOCK; e++)
        out_bits[e] = bytes[e / 128 * 32 + e % 32] >> 2 * (e / 32 % 4) & 3;
}

/* Four bits an element, as qs of Q4_K and Q5_K (runs of 32 bytes) and ql of Q6_K (runs of 64). */
static void unpack_nibbles(const uint8_t bytes[128], int run, uint8_t out_bits[BR_QUANT_SUPER_BLOCK])
{
    for (int e = 0; e < BR_QUANT_SUPER_BLOCK; e++)
        out_bits[e] = bytes[e / (2 * run) * run + e % run] >> 4 * (e / run % 2) & 15;
}

/* One bit an element, as hmask of Q3_K and qh of Q5_K. */
static void unpack_bits(const uint8_t bytes[32], uint8_t out_bits[BR_QUANT_SUPER_BLOCK])
{
    for (int e = 0; e < BR_QUANT_SUPER_BLOCK; e++)
        out_bits[e] = bytes[e % 32] >> e / 32 & 1;
}

/* Scales and minima of Q4_K and Q5_K. */
static void unpack_scales(const uint8_t bytes[12], uint8_t out_s[8], uint8_t out_m[8])
{
    for (int g = 0; g < 4; g++) {
        out_s[g] = bytes[g] & 63;
        out_m[g] = bytes[4 + g] & 63;
        out_s[4 + g] = (uint8_t)((bytes[8 + g] & 15) | bytes[g] >> 6 << 4);
        out_m[4 + g] = (uint8_t)(bytes[8 + g] >> 4 | bytes[4 + g] >> 6 << 4);
    }
}

/* ---- blocks ---- */

static void unpack_q2_k(const uint8_t *source, parts *out)
{
    br_block_q2_k block;
    memcpy(&block, source, sizeof block);
    float d = br_f32_from_f16(block.d), dmin = br_f32_from_f16(block.dmin);
    unpack_pairs(block.qs, (uint8_t *)out->q);
    for (int g = 0; g < 16; g++) {
        out->scale[g] = d * (float)(block.scales[g] & 15);
        out->minimum[g] = dmin * (float)(block.scales[g] >> 4);
    }
}

static void unpack_q3_k(const uint8_t *source, parts *out)
{
    br_block_q3_k block;
    uint8_t low[BR_QUANT_SUPER_BLOCK], high[BR_QUANT_SUPER_BLOCK];
    memcpy(&block, source, sizeof block);
    float d = br_f32_from_f16(block.d);
    unpack_pairs(block.qs, low);
    unpack_bits(block.hmask, high);
    for (int e = 0; e < BR_QUANT_SUPER_BLOCK; e++)
        out->q[e] = (int8_t)((low[e] | high[e] << 2) - 4);
    for (int g = 0; g < 16; g++) {
        int s = (block.scales[g % 8] >> 4 * (g / 8) & 15) | (block.scales[8 + g % 4] >> 2 * (g / 4) & 3) << 4;
        out->scale[g] = d * (float)(s - 32);
        out->minimum[g] = 0;
    }
}

static void unpack_q4_k(const uint8_t *source, parts *out)
{
    br_block_q4_k block;
    uint8_t s[8], m[8];
    memcpy(&block, source, sizeof block);
    float d = br_f32_from_f16(block.d), dmin = br_f32_from_f16(block.dmin);
    unpack_nibbles(block.qs, 32, (uint8_t *)out->q);
    unpack_scales(block.scales, s, m);
    for (int g = 0; g < 8; g++) {
        out->scale[g] = d * (float)s[g];
        out->minimum[g] = dmin * (float)m[g];
    }
}

static void unpack_q5_k(const uint8_t *source, parts *out)
{
    br_block_q5_k block;
    uint8_t s[8], m[8], low[BR_QUANT_SUPER_BLOCK], high[BR_QUANT_SUPER_BLOCK];
    memcpy(&block, source, sizeof block);
    float d = br_f32_from_f16(block.d), dmin = br_f32_from_f16(block.dmin);
    unpack_nibbles(block.qs, 32, low);
    unpack_bits(block.qh, high);
    for (int e = 0; e < BR_QUANT_SUPER_BLOCK; e++)
        out->q[e] = (int8_t)(low[e] | high[e] << 4);
    unpack_scales(block.scales, s, m);
    for (int g = 0; g < 8; g++) {
        out->scale[g] = d * (float)s[g];
        out->minimum[g] = dmin * (float)m[g];
    }
}

static void unpack_q6_k(const uint8_t *source, parts *out)
{
    br_block_q6_k block;
    uint8_t low[BR_QUANT_SUPER_BLOCK], high[BR_QUANT_SUPER_BLOCK];
    memcpy(&block, source, sizeof block);
    float d = br_f32_from_f16(block.d);
    unpack_nibbles(block.ql, 64, low);
    unpack_pairs(block.qh, high);
    for (int e = 0; e < BR_QUANT_SUPER_BLOCK; e++)
        out->q[e] = (int8_t)((low[e] | high[e] << 4) - 32);
    for (int g = 0; g < 16; g++) {
        out->scale[g] = d * (float)block.scales[g];
        out->minimum[g] = 0;
    }
}

static void expand(const parts *p, int group, float *out_values)
{
    for (int g = 0; g < BR_QUANT_SUPER_BLOCK / group; g++)
        for (int i = g * group; i < (g + 1) * group; i++)
            out_values[i] = p->scale[g] * (float)p->q[i] - p->minimum[g];
}

#define DECODE(name, group)                                                        \
    void br_decode_##name(const uint8_t *source, size_t blocks, float *out_values) \
    {                                                                              \
        parts p;                                                                   \
        for (size_t b = 0; b < blocks; b++) {                                      \
            unpack_##name(source + b * sizeof(br_block_##name), &p);               \
            expand(&p, group, out_values + b * BR_QUANT_SUPER_BLOCK);              \
        }                                                                          \
    }

DECODE(q2_k, 16)
DECODE(q3_k, 16)
DECODE(q4_k, 32)
DECODE(q5_k, 32)
DECODE(q6_k, 16)
