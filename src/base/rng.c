#include "base/rng.h"

#include <math.h>
#include <string.h>

#define TWO_PI 6.283185307179586476925286766559
/* PyTorch and curand turn a uniform into an angle in float, which moves it by up to 2.4e-7: the last digits of a normal are only
 * theirs when the same rounding is done here. Logarithm, root, sine and cosine are correctly rounded to well below that. */
#define TWO_PI_F 6.2831855f
/* torch.randn fills in blocks of this many values; below it, it draws one by one. */
#define BLOCK 16

static void mt_seed(br_rng *rng, uint32_t seed)
{
    rng->mt[0] = seed;
    for (uint32_t i = 1; i < 624; i++)
        rng->mt[i] = 1812433253u * (rng->mt[i - 1] ^ rng->mt[i - 1] >> 30) + i;
    rng->mt_index = 624;
}

/* MT19937 of Matsumoto and Nishimura (1998). */
static uint32_t mt_next(br_rng *rng)
{
    if (rng->mt_index == 624) {
        for (int i = 0; i < 624; i++) {
            uint32_t y = (rng->mt[i] & 0x80000000u) | (rng->mt[(i + 1) % 624] & 0x7fffffffu);
            rng->mt[i] = rng->mt[(i + 397) % 624] ^ y >> 1 ^ (y & 1u ? 0x9908b0dfu : 0u);
        }
        rng->mt_index = 0;
    }
    uint32_t y = rng->mt[rng->mt_index++];
    y ^= y >> 11;
    y ^= y << 7 & 0x9d2c5680u;
    y ^= y << 15 & 0xefc60000u;
    return y ^ y >> 18;
}

/* [0, 1) with 24 bits, as PyTorch makes a float. */
static float mt_uniform_f32(br_rng *rng)
{
    return (float)(mt_next(rng) & 0xffffffu) * 0x1p-24f;
}

/* [0, 1) with 53 bits of a 64-bit draw whose high half comes first. */
static double mt_uniform_f64(br_rng *rng)
{
    uint64_t high = mt_next(rng);
    uint64_t bits = high << 32 | mt_next(rng);
    return (double)(bits & ((UINT64_C(1) << 53) - 1)) * 0x1p-53;
}

/* One block: 16 uniforms become 16 normals in place; value j and value j + 8 are a Box-Muller pair. */
static void mt_normal_block(br_rng *rng, float *values)
{
    for (int i = 0; i < BLOCK; i++)
        values[i] = mt_uniform_f32(rng);
    for (int j = 0; j < BLOCK / 2; j++) {
        double radius = sqrt(-2.0 * log(1.0 - (double)values[j]));
        double theta = TWO_PI_F * values[j + BLOCK / 2];
        values[j] = (float)(radius * cos(theta));
        values[j + BLOCK / 2] = (float)(radius * sin(theta));
    }
}

static float mt_normal_single(br_rng *rng)
{
    if (rng->has_spare) {
        rng->has_spare = 0;
        return (float)rng->spare;
    }
    double turn = mt_uniform_f64(rng);
    double radius = sqrt(-2.0 * log1p(-mt_uniform_f64(rng)));
    rng->spare = radius * sin(TWO_PI * turn);
    rng->has_spare = 1;
    return (float)(radius * cos(TWO_PI * turn));
}

static void mt_normal(br_rng *rng, float *values, size_t count)
{
    if (count < BLOCK) {
        for (size_t i = 0; i < count; i++)
            values[i] = mt_normal_single(rng);
        return;
    }
    /* A uniform is drawn for every value, the tail's too; then the last 16 values are drawn anew over it. */
    size_t whole = count / BLOCK * BLOCK, tail = count - whole;
    for (size_t i = 0; i < whole; i += BLOCK)
        mt_normal_block(rng, values + i);
    if (tail) {
        for (size_t i = 0; i < tail; i++)
            mt_next(rng);
        mt_normal_block(rng, values + count - BLOCK);
    }
}

void br_philox4x32_10(const uint32_t counter[4], const uint32_t key[2], uint32_t out_words[4])
{
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3], k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = UINT64_C(0xd2511f53) * c0, p1 = UINT64_C(0xcd9e8d57) * c2;
        uint32_t next0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0, next2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)p1;
        c3 = (uint32_t)p0;
        c0 = next0;
        c2 = next2;
        k0 += 0x9e3779b9u;
        k1 += 0xbb67ae85u;
    }
    out_words[0] = c0;
    out_words[1] = c1;
    out_words[2] = c2;
    out_words[3] = c3;
}

/* PyTorch launches one thread a value (256 a block) as long as the GPU can hold them all; thread i seeds its own sequence i at
 * the generator's offset and keeps the first of the four normals of curand_normal4. */
static void philox_normal(br_rng *rng, float *values, size_t count)
{
    const uint32_t key[2] = {(uint32_t)rng->seed, (uint32_t)(rng->seed >> 32)};
    uint64_t position = rng->philox_offset / 4; /* four words a counter value */
    for (size_t i = 0; i < count; i++) {
        uint64_t thread = i;
        const uint32_t counter[4] = {(uint32_t)position, (uint32_t)(position >> 32), (uint32_t)thread, (uint32_t)(thread >> 32)};
        uint32_t words[4];
        br_philox4x32_10(counter, key, words);
        /* curand centres both uniforms in their 2^-32 cells and takes the sine first. */
        float u = (float)words[0] * 0x1p-32f + 0x1p-33f;
        float v = fmaf((float)words[1], 0x1p-32f * TWO_PI_F, 0x1p-33f * TWO_PI_F);
        values[i] = (float)(sqrt(-2.0 * log((double)u)) * sin((double)v));
    }
    if (count)
        rng->philox_offset += 4;
}

void br_rng_init(br_rng *rng, br_rng_kind kind, uint64_t seed)
{
    memset(rng, 0, sizeof *rng);
    rng->kind = kind;
    rng->seed = seed;
    if (kind == BR_RNG_CPU)
        mt_seed(rng, (uint32_t)seed);
}

void br_rng_normal(br_rng *rng, float *out_values, size_t count)
{
    if (rng->kind == BR_RNG_CPU)
        mt_normal(rng, out_values, count);
    else
        philox_normal(rng, out_values, count);
}
