/* Weights to float32: every bit pattern of the small types, unaligned sources, ranges. */
#include "support/test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/f16.h"
#include "weights/weights.h"

/* Converts one element stored at an odd address. */
static float convert(br_weight_dtype dtype, const void *element)
{
    uint8_t bytes[9];
    size_t size = br_weight_dtype_size(dtype);
    memcpy(bytes + 1, element, size);
    const br_tensor_view view = {.dtype = dtype, .count = 1, .size = size, .data = bytes + 1};
    float value = -7;
    br_weight_to_f32(&view, 0, 1, &value);
    return value;
}

static void test_names(void **state)
{
    (void)state;
    for (int i = 0; i < BR_WEIGHT_DTYPE_COUNT; i++) {
        br_weight_dtype dtype;
        assert_true(br_weight_dtype_parse(br_weight_dtype_name((br_weight_dtype)i), &dtype));
        assert_int_equal(dtype, i);
    }
    br_weight_dtype dtype;
    assert_false(br_weight_dtype_parse("f32", &dtype));
    assert_false(br_weight_dtype_parse("", &dtype));
}

/* S.EEEE.MMM, bias 7, no infinities; S.EEEEE.MM, bias 15 (arXiv 2209.05433, table 1). */
static void test_f8(void **state)
{
    (void)state;
    for (int i = 0; i < 256; i++) {
        uint8_t bits = (uint8_t)i;
        int exponent = i >> 3 & 15, fraction = i & 7;
        double expected = exponent ? ldexp(1 + fraction / 8.0, exponent - 7) : ldexp(fraction / 8.0, -6);
        float value = convert(BR_WEIGHT_F8_E4M3, &bits);
        if ((i & 127) == 127)
            assert_true(isnan(value));
        else
            assert_true((double)value == (i & 128 ? -expected : expected));

        exponent = i >> 2 & 31, fraction = i & 3;
        expected = exponent ? ldexp(1 + fraction / 4.0, exponent - 15) : ldexp(fraction / 4.0, -14);
        value = convert(BR_WEIGHT_F8_E5M2, &bits);
        if (exponent == 31)
            assert_true(fraction ? isnan(value) : isinf(value) && !signbit(value) == !(i & 128));
        else
            assert_true((double)value == (i & 128 ? -expected : expected));
    }
}

static void test_others(void **state)
{
    (void)state;
    assert_true(convert(BR_WEIGHT_F64, &(double){-0.1}) == -0.1f);
    assert_true(convert(BR_WEIGHT_F32, &(float){-0.1f}) == -0.1f);
    assert_true(convert(BR_WEIGHT_I64, &(int64_t){-5000000000}) == -5e9f);
    assert_true(convert(BR_WEIGHT_I32, &(int32_t){-70000}) == -70000);
    assert_true(convert(BR_WEIGHT_I16, &(int16_t){-300}) == -300);
    assert_true(convert(BR_WEIGHT_I8, &(int8_t){-3}) == -3);
    assert_true(convert(BR_WEIGHT_U64, &(uint64_t){UINT64_C(1) << 63}) == 0x1p63f);
    assert_true(convert(BR_WEIGHT_U32, &(uint32_t){0x80000000u}) == 0x1p31f);
    assert_true(convert(BR_WEIGHT_U16, &(uint16_t){65535}) == 65535);
    assert_true(convert(BR_WEIGHT_U8, &(uint8_t){255}) == 255);
    assert_true(convert(BR_WEIGHT_BOOL, &(uint8_t){1}) == 1);
    assert_true(convert(BR_WEIGHT_BOOL, &(uint8_t){0}) == 0);
}

/* Long runs take the vector path; its tail is odd, and nothing beside the range is written. */
static void test_ranges(void **state)
{
    (void)state;
    enum { COUNT = 65536, FIRST = 13, RUN = 65413 };
    uint8_t *bytes = malloc(COUNT * 2 + 1);
    float *out = malloc((RUN + 2) * sizeof *out);
    assert_true(bytes && out);
    for (uint32_t i = 0; i < COUNT; i++)
        memcpy(bytes + 1 + i * 2, &(uint16_t){(uint16_t)i}, 2);
    static const br_weight_dtype dtypes[] = {BR_WEIGHT_F16, BR_WEIGHT_BF16};
    for (int d = 0; d < 2; d++) {
        const br_tensor_view view = {.dtype = dtypes[d], .count = COUNT, .size = COUNT * 2, .data = bytes + 1};
        out[0] = out[RUN + 1] = 42;
        br_weight_to_f32(&view, FIRST, RUN, out + 1);
        assert_true(out[0] == 42 && out[RUN + 1] == 42);
        for (uint32_t i = 0; i < RUN; i++) {
            uint16_t half = (uint16_t)(FIRST + i);
            float expected = d ? br_f32_from_bf16(half) : br_f32_from_f16(half);
            assert_int_equal(br_f32_to_bits(out[1 + i]), br_f32_to_bits(expected));
        }
        br_weight_to_f32(&view, COUNT, 0, NULL);
    }
    free(bytes);
    free(out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_names), cmocka_unit_test(test_f8), cmocka_unit_test(test_others),
                                       cmocka_unit_test(test_ranges)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
