/* Encoding of Q2_K .. Q6_K: a scale (and a minimum) for every group by quant_fit, these as small integers times the block's two, the codes
 * that suit them, and then in turn the block's two by least squares and the codes again, as long as the error falls. */
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/f16.h"
#include "weights/quant_blocks.h"
#include "weights/quant_codec.h"
#include "weights/quant_fit.h"

/* Refinements of a block: the third changes hardly anything. */
#define REFINEMENTS 2

typedef struct form {
    int group;             /* elements */
    br_fit_range code;     /* of an element */
    br_fit_range multiple; /* the group's scale, in units of the block's */
    bool offset;           /* groups have minima too, 0 .. multiple.high */
} form;

static const form q2_k = {16, {0, 3}, {0, 15}, true};
static const form q3_k = {16, {-4, 3}, {-32, 31}, false};
static const form q4_k = {32, {0, 15}, {0, 63}, true};
static const form q5_k = {32, {0, 31}, {0, 63}, true};
static const form q6_k = {16, {-32, 31}, {-128, 127}, false};

/* Element e of group g is d * s[g] * q[e] - dmin * m[g]. */
typedef struct coded {
    int8_t q[BR_QUANT_SUPER_BLOCK];
    int s[16], m[16];
    uint16_t d, dmin; /* binary16 */
} coded;

/* The nearest codes for the scales that are there. Returns the squared error. */
static float assign_codes(const form *f, const float *x, coded *c)
{
    float d = br_f32_from_f16(c->d), dmin = br_f32_from_f16(c->dmin), error = 0;
    for (int e = 0; e < BR_QUANT_SUPER_BLOCK; e++) {
        int g = e / f->group;
        float scale = d * (float)c->s[g], minimum = dmin * (float)c->m[g];
        int code = br_fit_code(x[e] + minimum, scale, f->code);
        float difference = scale * (float)code - minimum - x[e];
        error += difference * difference;
        c->q[e] = (int8_t)code;
    }
    return error;
}

/* d and dmin that suit the codes and multiples best. */
static void refit(const form *f, const float *x, coded *c)
{
    double aa = 0, ab = 0, bb = 0, ax = 0, bx = 0; /* x is about d * a - dmin * b */
    for (int e = 0; e < BR_QUANT_SUPER_BLOCK; e++) {
        int g = e / f->group;
        double a = (double)c->s[g] * c->q[e], b = c->m[g];
        aa += a * a;
        ab += a * b;
        bb += b * b;
        ax += a * (double)x[e];
        bx += b * (double)x[e];
    }
    double determinant = aa * bb - ab * ab;
    if (f->offset && determinant > 0) {
        c->d = br_f32_to_f16((float)((ax * bb - ab * bx) / determinant));
        c->dmin = br_f32_to_f16((float)((ab * ax - aa * bx) / determinant));
    } else if (aa > 0) {
        c->d = br_f32_to_f16((float)((ax + ab * (double)br_f32_from_f16(c->dmin)) / aa));
    }
}

static void first_scales(const form *f, const float *x, coded *c)
{
    float scale[16], minimum[16] = {0}, widest = 0, lowest = 0;
    int groups = BR_QUANT_SUPER_BLOCK / f->group;
    for (int g = 0; g < groups; g++) {
        scale[g] = f->offset ? br_fit_offset(x + g * f->group, f->group, f->code.high, &minimum[g])
                             : br_fit_symmetric(x + g * f->group, f->group, f->code);
        widest = fabsf(scale[g]) > fabsf(widest) ? scale[g] : widest;
        lowest = minimum[g] > lowest ? minimum[g] : lowest;
    }
    /* Signed multiples reach furthest below zero. */
    c->d = br_f32_to_f16(widest / (float)(f->offset ? f->multiple.high : f->multiple.low));
    c->dmin = br_f32_to_f16(lowest / (float)f->multiple.high);
    for (int g = 0; g < groups; g++) {
        c->s[g] = br_fit_code(scale[g], br_f32_from_f16(c->d), f->multiple);
        c->m[g] = br_fit_code(minimum[g], br_f32_from_f16(c->dmin), (br_fit_range){0, f->multiple.high});
    }
}

static void encode(const form *f, const float *x, coded *out)
{
    memset(out, 0, sizeof *out);
    first_scales(f, x, out);
    float error = assign_codes(f, x, out);
    for (int i = 0; i < REFINEMENTS; i++) {
        coded next = *out;
        refit(f, x, &next);
        float next_error = assign_codes(f, x, &next);
        if (!(next_error < error))
            return;
        *out = next;
        error = next_error;
    }
}

/* ---- fields: the inverses of quant_k.c's; `bytes` are zero before ---- */

static void pack_pairs(const uint8_t bits[BR_QUANT_SUPER_BLOCK], uint8_t bytes[64])
{
    for (int e = 0; e < BR_QUANT_SUPER_BLOCK; e++)
        bytes[e / 128 * 32 + e % 32] |= (uint8_t)((bits[e] & 3) << 2 * (e / 32 % 4));
}

static void pack_nibbles(const uint8_t bits[BR_QUANT_SUPER_BLOCK], int run, uint8_t bytes[128])
{
    for (int e = 0; e < BR_QUANT_SUPER_BLOCK; e++)
        bytes[e / (2 * run) * run + e % run] |= (uint8_t)((bits[e] & 15) << 4 * (e / run % 2));
}

/* Bit `bit` of every element. */
static void pack_bits(const uint8_t bits[BR_QUANT_SUPER_BLOCK], int bit, uint8_t bytes[32])
{
    for (int e = 0; e < BR_QUANT_SUPER_BLOCK; e++)
        bytes[e % 32] |= (uint8_t)((bits[e] >> bit & 1) << e / 32);
}

static void pack_scales(const int s[8], const int m[8], uint8_t bytes[12])
{
    for (int g = 0; g < 4; g++) {
        bytes[g] = (uint8_t)(s[g] | s[4 + g] >> 4 << 6);
        bytes[4 + g] = (uint8_t)(m[g] | m[4 + g] >> 4 << 6);
        bytes[8 + g] = (uint8_t)((s[4 + g] & 15) | (m[4 + g] & 15) << 4);
    }
}

/* ---- blocks; `codes` are the elements' counted from the lowest ---- */

static br_block_q2_k pack_q2_k(const coded *c, const uint8_t *codes)
{
    br_block_q2_k block = {.d = c->d, .dmin = c->dmin};
    pack_pairs(codes, block.qs);
    for (int g = 0; g < 16; g++)
        block.scales[g] = (uint8_t)(c->s[g] | c->m[g] << 4);
    return block;
}

static br_block_q3_k pack_q3_k(const coded *c, const uint8_t *codes)
{
    br_block_q3_k block = {.d = c->d};
    pack_pairs(codes, block.qs);
    pack_bits(codes, 2, block.hmask);
    for (int g = 0; g < 16; g++) {
        int s = c->s[g] + 32;
        block.scales[g % 8] |= (uint8_t)((s & 15) << 4 * (g / 8));
        block.scales[8 + g % 4] |= (uint8_t)(s >> 4 << 2 * (g / 4));
    }
    return block;
}

static br_block_q4_k pack_q4_k(const coded *c, const uint8_t *codes)
{
    br_block_q4_k block = {.d = c->d, .dmin = c->dmin};
    pack_nibbles(codes, 32, block.qs);
    pack_scales(c->s, c->m, block.scales);
    return block;
}

static br_block_q5_k pack_q5_k(const coded *c, const uint8_t *codes)
{
    br_block_q5_k block = {.d = c->d, .dmin = c->dmin};
    pack_nibbles(codes, 32, block.qs);
    pack_bits(codes, 4, block.qh);
    pack_scales(c->s, c->m, block.scales);
    return block;
}

static br_block_q6_k pack_q6_k(const coded *c, const uint8_t *codes)
{
    br_block_q6_k block = {.d = c->d};
    uint8_t high[BR_QUANT_SUPER_BLOCK];
    for (int e = 0; e < BR_QUANT_SUPER_BLOCK; e++)
        high[e] = codes[e] >> 4;
    pack_nibbles(codes, 64, block.ql);
    pack_pairs(high, block.qh);
    for (int g = 0; g < 16; g++)
        block.scales[g] = (int8_t)c->s[g];
    return block;
}

#define ENCODE(name)                                                               \
    void br_encode_##name(const float *values, size_t blocks, uint8_t *out_blocks) \
    {                                                                              \
        coded c;                                                                   \
        uint8_t codes[BR_QUANT_SUPER_BLOCK];                                       \
        for (size_t b = 0; b < blocks; b++) {                                      \
            encode(&name, values + b * BR_QUANT_SUPER_BLOCK, &c);                  \
            for (int e = 0; e < BR_QUANT_SUPER_BLOCK; e++)                         \
                codes[e] = (uint8_t)(c.q[e] - name.code.low);                      \
            br_block_##name block = pack_##name(&c, codes);                        \
            memcpy(out_blocks + b * sizeof block, &block, sizeof block);           \
        }                                                                          \
    }

ENCODE(q2_k)
ENCODE(q3_k)
ENCODE(q4_k)
ENCODE(q5_k)
ENCODE(q6_k)
