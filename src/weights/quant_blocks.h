/* The bytes of GGUF's blocks, as in ggml's src/ggml-common.h (https://github.com/ggml-org/ggml, MIT). 16-bit fields are binary16,
 * little endian. In a file a block stands at any address: copy it out before looking at its fields.
 *
 * Elements of a block are e = 0 .. 31 or 0 .. 255. With "nibbles in halves" byte j of a run of n bytes holds element j in its low four
 * bits and element n + j in its high four. */
#ifndef BR_WEIGHTS_QUANT_BLOCKS_H
#define BR_WEIGHTS_QUANT_BLOCKS_H

#include <assert.h>
#include <stdint.h>

#define BR_QUANT_BLOCK 32
#define BR_QUANT_SUPER_BLOCK 256

/* d * (q - 8) */
typedef struct br_block_q4_0 {
    uint16_t d;
    uint8_t qs[16]; /* nibbles in halves: q[e] */
} br_block_q4_0;

/* d * q + m */
typedef struct br_block_q4_1 {
    uint16_t d, m;
    uint8_t qs[16]; /* nibbles in halves */
} br_block_q4_1;

/* d * (q - 16) */
typedef struct br_block_q5_0 {
    uint16_t d;
    uint8_t qh[4];  /* bit 4 of q[e] is bit e of this 32-bit number */
    uint8_t qs[16]; /* nibbles in halves: bits 0 .. 3 */
} br_block_q5_0;

/* d * q + m */
typedef struct br_block_q5_1 {
    uint16_t d, m;
    uint8_t qh[4];
    uint8_t qs[16];
} br_block_q5_1;

/* d * q */
typedef struct br_block_q8_0 {
    uint16_t d;
    int8_t qs[32];
} br_block_q8_0;

/* Super-blocks. A group of 16 (Q2_K, Q3_K, Q6_K) or 32 (Q4_K, Q5_K) neighbours has its own small integer scale s[g], and some a
 * minimum m[g]. */

/* d * s[g] * q - dmin * m[g]; 16 groups of 16 */
typedef struct br_block_q2_k {
    uint8_t scales[16]; /* s[g] in the low four bits, m[g] in the high four */
    uint8_t qs[64];     /* q[e] is bits 2k, 2k + 1 of byte 32h + j, where e = 128h + 32k + j, j below 32 */
    uint16_t d, dmin;
} br_block_q2_k;

/* d * (s[g] - 32) * (q - 4); 16 groups of 16 */
typedef struct br_block_q3_k {
    uint8_t hmask[32]; /* bit 2 of q[e] is bit e / 32 of byte e % 32 */
    uint8_t qs[64];    /* bits 0, 1, placed as in Q2_K */
    uint8_t scales
        [12]; /* s[g], 6 bits: the low four in byte g % 8, bits 4 (g / 8) and up; the high two in byte 8 + g % 4, bits 2 (g / 4) and up */
    uint16_t d;
} br_block_q3_k;

/* d * s[g] * q - dmin * m[g]; 8 groups of 32 */
typedef struct br_block_q4_k {
    uint16_t d, dmin;
    /* 6 bits each. g < 4: s[g] is the low six of byte g, m[g] of byte 4 + g. g >= 4: the low four of s[g] and m[g] are the low and the high nibble
     * of byte 4 + g, their high two are the top two bits of bytes g - 4 and g. */
    uint8_t scales[12];
    uint8_t qs[128]; /* four runs of 32 bytes, nibbles in halves: run r holds elements 64r .. 64r + 63 */
} br_block_q4_k;

/* As Q4_K with five bits. */
typedef struct br_block_q5_k {
    uint16_t d, dmin;
    uint8_t scales[12];
    uint8_t qh[32]; /* bit 4 of q[e] is bit e / 32 of byte e % 32 */
    uint8_t qs[128];
} br_block_q5_k;

/* d * s[g] * (q - 32); 16 groups of 16 */
typedef struct br_block_q6_k {
    /* e = 128h + 32k + j, j below 32. */
    uint8_t ql[128]; /* bits 0 .. 3 of q[e]: nibble k / 2 of byte 64h + 32 (k % 2) + j */
    uint8_t qh[64];  /* bits 4, 5: bits 2k, 2k + 1 of byte 32h + j */
    int8_t scales[16];
    uint16_t d;
} br_block_q6_k;

static_assert(sizeof(br_block_q4_0) == 18, "no padding");
static_assert(sizeof(br_block_q4_1) == 20, "no padding");
static_assert(sizeof(br_block_q5_0) == 22, "no padding");
static_assert(sizeof(br_block_q5_1) == 24, "no padding");
static_assert(sizeof(br_block_q8_0) == 34, "no padding");
static_assert(sizeof(br_block_q2_k) == 84, "no padding");
static_assert(sizeof(br_block_q3_k) == 110, "no padding");
static_assert(sizeof(br_block_q4_k) == 144, "no padding");
static_assert(sizeof(br_block_q5_k) == 176, "no padding");
static_assert(sizeof(br_block_q6_k) == 210, "no padding");

#endif
