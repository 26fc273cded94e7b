/* GGUF's block types: decoding equal to the gguf package bit for bit, on blocks with scales of every kind; encoding. */
#include "support/test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/f16.h"
#include "base/rng.h"
#include "weights/quant.h"
#include "weights/safetensors.h"

static const br_weight_dtype types[] = {BR_WEIGHT_Q4_0, BR_WEIGHT_Q4_1, BR_WEIGHT_Q5_0, BR_WEIGHT_Q5_1, BR_WEIGHT_Q8_0,
                                        BR_WEIGHT_Q2_K, BR_WEIGHT_Q3_K, BR_WEIGHT_Q4_K, BR_WEIGHT_Q5_K, BR_WEIGHT_Q6_K};
#define TYPE_COUNT (int)(sizeof types / sizeof types[0])

static br_weights *fixtures(void)
{
    br_weights *weights;
    assert_status_ok(br_safetensors_open(br_test_path("tests/data/quant/blocks.safetensors"), &weights));
    return weights;
}

static const br_tensor_view *find(const br_weights *weights, br_weight_dtype type, const char *what)
{
    char name[32];
    snprintf(name, sizeof name, "%s.%s", br_weight_dtype_name(type), what);
    const br_tensor_view *view = br_weights_find(weights, name);
    assert_non_null(view);
    return view;
}

static bool same(float a, float b)
{
    return isnan(a) ? isnan(b) != 0 : br_f32_to_bits(a) == br_f32_to_bits(b);
}

static void test_sizes(void **state)
{
    (void)state;
    static const size_t sizes[] = {18, 20, 22, 24, 34, 84, 110, 144, 176, 210};
    for (int t = 0; t < TYPE_COUNT; t++) {
        assert_int_equal(br_weight_dtype_size(types[t]), sizes[t]);
        assert_int_equal(br_weight_dtype_block(types[t]), t < 5 ? 32 : 256);
    }
    assert_int_equal(br_weight_dtype_block(BR_WEIGHT_F16), 1);
}

static void test_decode(void **state)
{
    (void)state;
    br_weights *weights = fixtures();
    for (int t = 0; t < TYPE_COUNT; t++) {
        const br_tensor_view *blocks = find(weights, types[t], "blocks"), *values = find(weights, types[t], "values");
        size_t count = (size_t)blocks->shape[0], elements = count * br_weight_dtype_block(types[t]);
        assert_int_equal(blocks->size, count * br_weight_dtype_size(types[t]));
        assert_int_equal(values->count, elements);
        /* At an odd address, and with room that must stay as it is. */
        uint8_t *bytes = malloc(blocks->size + 1);
        float *expected = malloc(elements * sizeof *expected), *got = malloc((elements + 1) * sizeof *got);
        assert_true(bytes && expected && got);
        memcpy(bytes + 1, blocks->data, blocks->size);
        memcpy(expected, values->data, values->size);
        got[elements] = 42;
        br_quant_decode(types[t], bytes + 1, count, got);
        for (size_t i = 0; i < elements; i++)
            if (!same(got[i], expected[i]))
                fail_msg("%s element %zu is %g, expected %g", br_weight_dtype_name(types[t]), i, (double)got[i],
                         (double)expected[i]);
        assert_true(got[elements] == 42);
        free(bytes);
        free(expected);
        free(got);
    }
    br_weights_destroy(weights);
}

/* A range may begin and end inside a block. */
static void test_ranges(void **state)
{
    (void)state;
    br_weights *weights = fixtures();
    for (int t = 0; t < TYPE_COUNT; t++) {
        const br_tensor_view *blocks = find(weights, types[t], "blocks"), *values = find(weights, types[t], "values");
        br_tensor_view view = {.dtype = types[t], .count = values->count, .size = blocks->size, .data = blocks->data};
        float *got = malloc((view.count + 2) * sizeof *got);
        assert_non_null(got);
        const size_t ranges[][2] = {{0, view.count}, {0, 1},  {view.count - 1, 1}, {31, 2}, {256, 32},
                                    {13, 300},       {1, 31}, {257, 113},          {5, 0},  {view.count - 300, 300}};
        for (size_t r = 0; r < sizeof ranges / sizeof ranges[0]; r++) {
            size_t first = ranges[r][0], count = ranges[r][1];
            got[0] = got[count + 1] = 42;
            br_weight_to_f32(&view, first, count, got + 1);
            assert_true(got[0] == 42 && got[count + 1] == 42);
            for (size_t i = 0; i < count; i++) {
                float expected;
                br_weight_to_f32(values, first + i, 1, &expected);
                assert_true(same(got[1 + i], expected));
            }
        }
        free(got);
    }
    br_weights_destroy(weights);
}

/* ---- encoding ---- */

/* Of `count` values in whole blocks: the blocks and what they decode to. The caller frees both. */
static uint8_t *recode(br_weight_dtype type, const float *values, size_t count, float **out_decoded)
{
    size_t blocks = count / br_weight_dtype_block(type), size = blocks * br_weight_dtype_size(type);
    uint8_t *bytes = malloc(size + 1);
    *out_decoded = malloc(count * sizeof **out_decoded);
    assert_true(bytes && *out_decoded);
    memset(bytes, 0xa5, size + 1);
    br_quant_encode(type, values, blocks, bytes);
    assert_int_equal(bytes[size], 0xa5);
    br_quant_decode(type, bytes, blocks, *out_decoded);
    return bytes;
}

static double error_of(br_weight_dtype type, const float *values, size_t count)
{
    float *decoded;
    free(recode(type, values, count, &decoded));
    double error = br_test_relative_error_f32(decoded, values, count);
    free(decoded);
    return error;
}

/* The types that the package encodes: the same bytes. */
static void test_encode_equal(void **state)
{
    (void)state;
    br_weights *weights = fixtures();
    const br_tensor_view *source = br_weights_find(weights, "source");
    assert_non_null(source);
    float *values = malloc(source->size);
    assert_non_null(values);
    memcpy(values, source->data, source->size);
    for (int t = 0; t < 5; t++) {
        const br_tensor_view *expected = find(weights, types[t], "encoded");
        float *decoded;
        uint8_t *bytes = recode(types[t], values, source->count, &decoded);
        assert_int_equal(expected->size, source->count / 32 * br_weight_dtype_size(types[t]));
        assert_memory_equal(bytes, expected->data, expected->size);
        free(bytes);
        free(decoded);
    }
    free(values);
    br_weights_destroy(weights);
}

/* What ggml's quantize_row_*_ref leave of 2^20 values, as a part of their norm. */
static const struct {
    br_weight_dtype type;
    double normal, uniform; /* N(0, 1), U(-1, 1) */
} reference_errors[] = {
    {BR_WEIGHT_Q2_K, 0.29668, 0.23293}, {BR_WEIGHT_Q3_K, 0.15098, 0.12518}, {BR_WEIGHT_Q4_K, 0.07137, 0.05461},
    {BR_WEIGHT_Q5_K, 0.03613, 0.02759}, {BR_WEIGHT_Q6_K, 0.01776, 0.01325},
};

static void test_encode_error(void **state)
{
    (void)state;
    enum { COUNT = 256 * 256 };
    float *normal = malloc(COUNT * sizeof *normal), *uniform = malloc(COUNT * sizeof *uniform);
    assert_true(normal && uniform);
    br_rng rng;
    br_rng_init(&rng, BR_RNG_CPU, 20240611);
    br_rng_normal(&rng, normal, COUNT);
    for (uint32_t i = 0, random = 1; i < COUNT; i++) {
        random = random * 1664525u + 1013904223u;
        uniform[i] = (float)(random >> 8) * 0x1p-23f - 1;
    }
    for (size_t i = 0; i < sizeof reference_errors / sizeof reference_errors[0]; i++) {
        double of_normal = error_of(reference_errors[i].type, normal, COUNT),
               of_uniform = error_of(reference_errors[i].type, uniform, COUNT);
        print_message("%s: %.5f of normal, %.5f of uniform values\n", br_weight_dtype_name(reference_errors[i].type), of_normal,
                      of_uniform);
        assert_true(of_normal < 1.01 * reference_errors[i].normal);
        assert_true(of_uniform < 1.01 * reference_errors[i].uniform);
    }
    free(normal);
    free(uniform);
}

/* Whole multiples of one scale, a power of two, come back exactly; but for the types with minima, whose block scale is a 15th or a 63rd of it,
 * rounded to a half. */
static void test_encode_exact(void **state)
{
    (void)state;
    static const int lowest[] = {-8, 0, -16, 0, -127, 0, -4, 0, 0, -32}, highest[] = {7, 15, 15, 31, 127, 3, 3, 15, 31, 31};
    float values[BR_WEIGHT_BLOCK_MAX];
    for (int t = 0; t < TYPE_COUNT; t++)
        for (int scaled = 0; scaled < 2; scaled++) {
            for (int i = 0; i < BR_WEIGHT_BLOCK_MAX; i++) {
                int span = highest[t] - lowest[t] + 1, code = i % 16 == 0   ? lowest[t]
                                                              : i % 16 == 1 ? highest[t]
                                                                            : lowest[t] + i * 7 % span;
                values[i] = (float)code * (scaled ? 0.0078125f : 0);
            }
            float *decoded;
            free(recode(types[t], values, BR_WEIGHT_BLOCK_MAX, &decoded));
            bool rounded = types[t] == BR_WEIGHT_Q2_K || types[t] == BR_WEIGHT_Q4_K || types[t] == BR_WEIGHT_Q5_K;
            float tolerance = rounded && scaled ? 0x1p-11f * 0.0078125f * (float)highest[t] : 0;
            for (int i = 0; i < BR_WEIGHT_BLOCK_MAX; i++)
                if (fabsf(decoded[i] - values[i]) > tolerance)
                    fail_msg("%s element %d is %g, expected %g", br_weight_dtype_name(types[t]), i, (double)decoded[i],
                             (double)values[i]);
            free(decoded);
        }
}

/* Nothing that a float can be upsets the encoders. */
static void test_encode_anything(void **state)
{
    (void)state;
    static const float odd[] = {0, -0.0f, 1e-45f, -1e-45f, 1e-38f, 3e38f, -3e38f, 1, INFINITY, -INFINITY, NAN, 65504, 1e-8f};
    float values[4 * BR_WEIGHT_BLOCK_MAX];
    for (uint32_t round = 0, random = 7; round < 200; round++) {
        for (int i = 0; i < 4 * BR_WEIGHT_BLOCK_MAX; i++) {
            random = random * 1664525u + 1013904223u;
            values[i] = round % 4 == 3 ? br_f32_from_bits(random) : odd[(random >> 8) % (round % 4 ? 13 : 5)];
        }
        for (int t = 0; t < TYPE_COUNT; t++) {
            float *decoded;
            free(recode(types[t], values, 4 * BR_WEIGHT_BLOCK_MAX, &decoded));
            free(decoded);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_sizes),          cmocka_unit_test(test_decode),
                                       cmocka_unit_test(test_ranges),         cmocka_unit_test(test_encode_equal),
                                       cmocka_unit_test(test_encode_error),   cmocka_unit_test(test_encode_exact),
                                       cmocka_unit_test(test_encode_anything)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
