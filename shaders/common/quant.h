/* How matrices of block types lie on the device. A row is padded to whole 32-bit words and consists of words only, so no device needs 8- or 16-bit
 * loads. It holds as many bits as the file's blocks, sorted by what is read together:
 *
 *   low    the low 8, 4 or 2 bits of every number, K/32 · LOW words
 *   high   its other 1 or 2 bits, K/32 · HIGH words
 *   scales
 *
 * In both planes the four neighbours of a quad are the same bits of a word's four bytes: with n bits a number a word has 8/n quads, quad j in bits
 * j·n .. j·n + n - 1 of each byte. So a shift and a mask give four bytes, ready for floats or for an integer dot product.
 *
 * Scales (d, m: binary16, the first in the low half of a word; g: a group's place in its super-block of 256):
 *   Q4_0 Q5_0 Q8_0  d of every 32, two a word
 *   Q4_1 Q5_1       a word (d, m) for every 32
 *   Q2_K            5 words a super-block: (d, dmin), then bytes s[g] | m[g] << 4 for 16 groups of 16
 *   Q4_K Q5_K       4 words a super-block: (d, dmin), then bytes of the low four bits s[g] | m[g] << 4 for 8 groups of 32 in two words, then nibbles of
 *                   their high two bits s[g] | m[g] << 2 in one
 *   Q3_K            3 words a super-block: nibbles, the low four bits of s[g] for 16 groups of 16, in two words, their high two in one; behind those of
 *                   the whole row d, two a word
 *   Q6_K            4 words a super-block: signed bytes s[g] for 16 groups of 16; behind those of the whole row d, two a word */
#ifndef BR_QUANT_H
#define BR_QUANT_H

/* Specialization constant QUANT. */
#define BR_QUANT_Q4_0 0
#define BR_QUANT_Q4_1 1
#define BR_QUANT_Q5_0 2
#define BR_QUANT_Q5_1 3
#define BR_QUANT_Q8_0 4
#define BR_QUANT_Q2_K 5
#define BR_QUANT_Q3_K 6
#define BR_QUANT_Q4_K 7
#define BR_QUANT_Q5_K 8
#define BR_QUANT_Q6_K 9

#endif
