/* GGUF's block types: decoding equal to the gguf package bit for bit, on blocks with scales of every kind; encoding. */
#include "support/test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/f16.h"
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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_sizes), cmocka_unit_test(test_decode), cmocka_unit_test(test_ranges)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
