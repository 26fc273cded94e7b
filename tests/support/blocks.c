#include "support/blocks.h"

#include <math.h>
#include <string.h>

#include "base/f16.h"
#include "support/test.h"
#include "weights/quant.h"
#include "weights/quant_blocks.h"

static uint64_t next_random(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    return z ^ (z >> 27);
}

/* Where the block's halves are; their number. */
static int half_fields(br_weight_dtype dtype, size_t out_offsets[2])
{
    out_offsets[0] = dtype == BR_WEIGHT_Q2_K   ? offsetof(br_block_q2_k, d)
                     : dtype == BR_WEIGHT_Q3_K ? offsetof(br_block_q3_k, d)
                     : dtype == BR_WEIGHT_Q6_K ? offsetof(br_block_q6_k, d)
                                               : 0;
    out_offsets[1] = out_offsets[0] + 2;
    bool one = dtype == BR_WEIGHT_Q4_0 || dtype == BR_WEIGHT_Q5_0 || dtype == BR_WEIGHT_Q8_0 || dtype == BR_WEIGHT_Q3_K ||
               dtype == BR_WEIGHT_Q6_K;
    return one ? 1 : 2;
}

size_t br_test_blocks_size(br_weight_dtype dtype, size_t count)
{
    assert_int_equal(count % br_weight_dtype_block(dtype), 0);
    return count / br_weight_dtype_block(dtype) * br_weight_dtype_size(dtype);
}

static double measure(br_weight_dtype dtype, size_t blocks, const uint8_t *bytes)
{
    double sum = 0;
    float values[BR_WEIGHT_BLOCK_MAX];
    size_t block = br_weight_dtype_block(dtype);
    for (size_t b = 0; b < blocks; b++) {
        br_quant_decode(dtype, bytes + b * br_weight_dtype_size(dtype), 1, values);
        for (size_t i = 0; i < block; i++)
            sum += (double)values[i] * values[i];
    }
    return sqrt(sum / (double)(blocks * block));
}

void br_test_blocks_random(br_weight_dtype dtype, size_t count, double rms, uint32_t seed, uint8_t *out_blocks)
{
    size_t bytes = br_test_blocks_size(dtype, count), size = br_weight_dtype_size(dtype), offsets[2];
    uint64_t start = seed * UINT64_C(0x2545f4914f6cdd1d) + (uint64_t)dtype, state = start;
    for (size_t i = 0; i < bytes; i++)
        out_blocks[i] = (uint8_t)(next_random(&state) >> 40);
    int halves = half_fields(dtype, offsets);
    double unit = 0x1p-8;
    for (int round = 0; round < 2; round++) {
        uint64_t scales = start + 1;
        for (size_t b = 0; b < bytes / size; b++)
            for (int i = 0; i < halves; i++) {
                uint64_t bits = next_random(&scales);
                double magnitude = (double)(1 + bits % 1023) / 1024 * unit * (bits & 1 << 16 ? 1 : 0.03);
                uint16_t half = br_f32_to_f16((float)(bits & 1 << 17 ? -magnitude : magnitude));
                memcpy(out_blocks + b * size + offsets[i], &half, sizeof half);
            }
        unit *= rms / measure(dtype, bytes / size, out_blocks);
    }
}
