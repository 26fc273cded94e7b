#include "exec/repack.h"

#include <assert.h>
#include <string.h>

#include "weights/quant_blocks.h"

static_assert(BR_Q6_K - BR_Q4_0 == BR_WEIGHT_Q6_K - BR_WEIGHT_Q4_0 && BR_Q8_0 - BR_Q4_0 == BR_WEIGHT_Q8_0 - BR_WEIGHT_Q4_0,
              "the block types of graph/tensor.h and weights/dtype.h are in the same order");

bool br_repack_dtype(br_weight_dtype stored, br_dtype *out_dtype)
{
    if (stored < BR_WEIGHT_Q4_0 || stored > BR_WEIGHT_Q6_K)
        return false;
    *out_dtype = (br_dtype)(BR_Q4_0 + (stored - BR_WEIGHT_Q4_0));
    return true;
}

/* One block taken apart. */
typedef struct numbers {
    uint8_t q[BR_QUANT_SUPER_BLOCK]; /* in order; Q8_0 as signed bytes */
    uint32_t words[5];               /* whole words of scales */
    uint16_t half;                   /* a 16-bit scale that shares its word with a neighbour's */
} numbers;

static uint32_t pair(uint16_t low, uint16_t high)
{
    return low | (uint32_t)high << 16;
}

/* Nibbles in halves: `count` bytes are elements 0 .. count - 1 and count .. 2 · count - 1. */
static void split_nibbles(const uint8_t *source, int count, uint8_t *out_q)
{
    for (int i = 0; i < count; i++) {
        out_q[i] = source[i] & 15;
        out_q[count + i] = source[i] >> 4;
    }
}

/* Bit 4 of 32 elements from the bits of a number. */
static void add_bits(const uint8_t *bits, uint8_t *q)
{
    for (int i = 0; i < 32; i++)
        q[i] |= (uint8_t)((bits[i / 8] >> i % 8 & 1) << 4);
}

/* Two bits each: e = 128h + 32k + j is bits 2k, 2k + 1 of byte 32h + j. */
static void split_pairs(const uint8_t *source, uint8_t *out_q)
{
    for (int run = 0; run < 8; run++)
        for (int j = 0; j < 32; j++)
            out_q[32 * run + j] = source[run / 4 * 32 + j] >> run % 4 * 2 & 3;
}

static void from_q4_0(const uint8_t *source, numbers *out)
{
    br_block_q4_0 block;
    memcpy(&block, source, sizeof block);
    split_nibbles(block.qs, 16, out->q);
    out->half = block.d;
}

static void from_q4_1(const uint8_t *source, numbers *out)
{
    br_block_q4_1 block;
    memcpy(&block, source, sizeof block);
    split_nibbles(block.qs, 16, out->q);
    out->words[0] = pair(block.d, block.m);
}

static void from_q5_0(const uint8_t *source, numbers *out)
{
    br_block_q5_0 block;
    memcpy(&block, source, sizeof block);
    split_nibbles(block.qs, 16, out->q);
    add_bits(block.qh, out->q);
    out->half = block.d;
}

static void from_q5_1(const uint8_t *source, numbers *out)
{
    br_block_q5_1 block;
    memcpy(&block, source, sizeof block);
    split_nibbles(block.qs, 16, out->q);
    add_bits(block.qh, out->q);
    out->words[0] = pair(block.d, block.m);
}

static void from_q8_0(const uint8_t *source, numbers *out)
{
    br_block_q8_0 block;
    memcpy(&block, source, sizeof block);
    memcpy(out->q, block.qs, sizeof block.qs);
    out->half = block.d;
}

static void from_q2_k(const uint8_t *source, numbers *out)
{
    br_block_q2_k block;
    memcpy(&block, source, sizeof block);
    split_pairs(block.qs, out->q);
    out->words[0] = pair(block.d, block.dmin);
    memcpy(out->words + 1, block.scales, sizeof block.scales);
}

static void from_q3_k(const uint8_t *source, numbers *out)
{
    br_block_q3_k block;
    memcpy(&block, source, sizeof block);
    split_pairs(block.qs, out->q);
    for (int run = 0; run < 8; run++)
        for (int j = 0; j < 32; j++)
            out->q[32 * run + j] |= (uint8_t)((block.hmask[j] >> run & 1) << 2);
    memset(out->words, 0, 3 * sizeof out->words[0]);
    for (int g = 0; g < 16; g++) {
        uint32_t low = block.scales[g % 8] >> g / 8 * 4 & 15, high = block.scales[8 + g % 4] >> g / 4 * 2 & 3;
        out->words[g / 8] |= low << g % 8 * 4;
        out->words[2] |= high << g * 2;
    }
    out->half = block.d;
}

/* The six-bit scales and minima that Q4_K and Q5_K share. */
static void sort_scales(const uint8_t *scales, uint32_t *out_words)
{
    memset(out_words, 0, 3 * sizeof *out_words);
    for (int g = 0; g < 8; g++) {
        uint32_t s = g < 4 ? scales[g] & 63 : (scales[4 + g] & 15) | scales[g - 4] >> 6 << 4;
        uint32_t m = g < 4 ? scales[4 + g] & 63 : scales[4 + g] >> 4 | scales[g] >> 6 << 4;
        out_words[g / 4] |= (s & 15) << g % 4 * 8 | (m & 15) << (g % 4 * 8 + 4);
        out_words[2] |= (s >> 4 | m >> 4 << 2) << g * 4;
    }
}

static void from_q4_k(const uint8_t *source, numbers *out)
{
    br_block_q4_k block;
    memcpy(&block, source, sizeof block);
    for (int run = 0; run < 4; run++)
        split_nibbles(block.qs + 32 * run, 32, out->q + 64 * run);
    out->words[0] = pair(block.d, block.dmin);
    sort_scales(block.scales, out->words + 1);
}

static void from_q5_k(const uint8_t *source, numbers *out)
{
    br_block_q5_k block;
    memcpy(&block, source, sizeof block);
    for (int run = 0; run < 4; run++)
        split_nibbles(block.qs + 32 * run, 32, out->q + 64 * run);
    for (int run = 0; run < 8; run++)
        for (int j = 0; j < 32; j++)
            out->q[32 * run + j] |= (uint8_t)((block.qh[j] >> run & 1) << 4);
    out->words[0] = pair(block.d, block.dmin);
    sort_scales(block.scales, out->words + 1);
}

static void from_q6_k(const uint8_t *source, numbers *out)
{
    br_block_q6_k block;
    memcpy(&block, source, sizeof block);
    split_pairs(block.qh, out->q);
    for (int run = 0; run < 8; run++) {
        const uint8_t *low = block.ql + run / 4 * 64 + run % 2 * 32;
        int shift = run % 4 / 2 * 4;
        for (int j = 0; j < 32; j++)
            out->q[32 * run + j] = (uint8_t)(out->q[32 * run + j] << 4 | (low[j] >> shift & 15));
    }
    memcpy(out->words, block.scales, sizeof block.scales);
    out->half = block.d;
}

/* `bits` bits of every number, from bit `shift` on, into a plane; inlined with constant bits below. */
static inline void pack(const uint8_t *q, int count, int shift, int bits, uint32_t *out_words)
{
    const uint32_t mask = ((1u << bits) - 1) * 0x01010101u;
    const int quads = 8 / bits; /* a word */
    for (int i = 0; i < count / 4 / quads; i++) {
        uint32_t word = 0;
        for (int j = 0; j < quads; j++) {
            uint32_t quad;
            memcpy(&quad, q + (i * quads + j) * 4, sizeof quad);
            word |= (quad >> shift & mask) << bits * j;
        }
        out_words[i] = word;
    }
}

static void pack_low(const uint8_t *q, int count, int bits, uint32_t *out_words)
{
    if (bits == 8)
        memcpy(out_words, q, (size_t)count);
    else if (bits == 4)
        pack(q, count, 0, 4, out_words);
    else
        pack(q, count, 0, 2, out_words);
}

static void pack_high(const uint8_t *q, int count, int low, int bits, uint32_t *out_words)
{
    if (bits == 2)
        pack(q, count, low, 2, out_words);
    else if (bits == 1)
        pack(q, count, low, 1, out_words);
}

void br_repack_row(br_dtype dtype, const uint8_t *blocks, int64_t columns, uint32_t *out_words)
{
    static const struct {
        void (*take)(const uint8_t *source, numbers *out);
        int size, low, high, words; /* bytes a block in the file; bits; words of scales a block */
        bool half;
    } kinds[] = {
        {from_q4_0, sizeof(br_block_q4_0), 4, 0, 0, true},  {from_q4_1, sizeof(br_block_q4_1), 4, 0, 1, false},
        {from_q5_0, sizeof(br_block_q5_0), 4, 1, 0, true},  {from_q5_1, sizeof(br_block_q5_1), 4, 1, 1, false},
        {from_q8_0, sizeof(br_block_q8_0), 8, 0, 0, true},  {from_q2_k, sizeof(br_block_q2_k), 2, 0, 5, false},
        {from_q3_k, sizeof(br_block_q3_k), 2, 1, 3, true},  {from_q4_k, sizeof(br_block_q4_k), 4, 0, 4, false},
        {from_q5_k, sizeof(br_block_q5_k), 4, 1, 4, false}, {from_q6_k, sizeof(br_block_q6_k), 4, 2, 4, true},
    };
    const int kind = (int)(dtype - BR_Q4_0), low = kinds[kind].low, high = kinds[kind].high, words = kinds[kind].words;
    const int block = (int)br_dtype_block(dtype);
    uint32_t *high_plane = out_words + columns / 32 * low, *scales = high_plane + columns / 32 * high;
    uint8_t *halves = (uint8_t *)(scales + columns / block * words);
    out_words[br_dtype_row_bytes(dtype, columns) / 4 - 1] = 0; /* its second half may be padding */
    for (int64_t b = 0; b < columns / block; b++) {
        numbers it;
        kinds[kind].take(blocks + b * kinds[kind].size, &it);
        pack_low(it.q, block, low, out_words + b * block / 32 * low);
        pack_high(it.q, block, low, high, high_plane + b * block / 32 * high);
        memcpy(scales + b * words, it.words, (size_t)words * sizeof *scales);
        if (kinds[kind].half)
            memcpy(halves + b * (int64_t)sizeof it.half, &it.half, sizeof it.half);
    }
}
