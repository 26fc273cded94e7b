/* All 65,536 halves both ways, and rounding at every boundary between neighbours. */
#include "support/test.h"

#include <math.h>

#include "base/f16.h"

/* The value of a finite half or bfloat16 from its definition: sign, `exponent_bits`, `fraction_bits`. */
static double decode(uint16_t half, int exponent_bits, int fraction_bits)
{
    int bias = (1 << (exponent_bits - 1)) - 1;
    int exponent = half >> fraction_bits & ((1 << exponent_bits) - 1);
    int fraction = half & ((1 << fraction_bits) - 1);
    double value =
        exponent ? ldexp(1 + ldexp(fraction, -fraction_bits), exponent - bias) : ldexp(fraction, 1 - bias - fraction_bits);
    return half & 0x8000 ? -value : value;
}

typedef struct format {
    int exponent_bits, fraction_bits;
    uint16_t infinity;
    float (*widen)(uint16_t half);
    uint16_t (*narrow)(float value);
} format;

static const format F16 = {5, 10, 0x7c00, br_f32_from_f16, br_f32_to_f16};
static const format BF16 = {8, 7, 0x7f80, br_f32_from_bf16, br_f32_to_bf16};

static void check_round_trip(const format *f)
{
    for (uint32_t i = 0; i <= 0xffff; i++) {
        uint16_t half = (uint16_t)i, magnitude = half & 0x7fff;
        float wide = f->widen(half);
        if (magnitude > f->infinity) {
            assert_true(isnan(wide));
            assert_true((f->narrow(wide) & 0x7fff) > f->infinity);
            continue;
        }
        if (magnitude == f->infinity)
            assert_true(isinf(wide) && !signbit(wide) == !(half & 0x8000));
        else
            assert_true((double)wide == decode(half, f->exponent_bits, f->fraction_bits) && !signbit(wide) == !(half & 0x8000));
        assert_int_equal(f->narrow(wide), half);
    }
}

/* Between each half and the next: the midpoint goes to the even one, its float neighbours to the nearer one. */
static void check_rounding(const format *f)
{
    for (uint16_t half = 0; half < f->infinity; half++) {
        double low = decode(half, f->exponent_bits, f->fraction_bits);
        double high = decode(half + 1, f->exponent_bits, f->fraction_bits);
        float middle = (float)((low + high) / 2); /* exact: one bit more than a half holds */
        if ((double)middle != (low + high) / 2)
            continue; /* the lowest bfloat16 subnormals: their midpoints are below float's own */
        uint16_t even = half & 1 ? half + 1 : half;
        assert_int_equal(f->narrow(middle), even);
        assert_int_equal(f->narrow(-middle), even | 0x8000);
        assert_int_equal(f->narrow(nextafterf(middle, INFINITY)), half + 1);
        assert_int_equal(f->narrow(nextafterf(middle, 0)), half);
    }
    assert_int_equal(f->narrow(INFINITY), f->infinity);
    assert_int_equal(f->narrow(-INFINITY), f->infinity | 0x8000);
}

static void test_f16(void **state)
{
    (void)state;
    check_round_trip(&F16);
    check_rounding(&F16);
    assert_int_equal(br_f32_to_f16(3.4e38f), 0x7c00);
}

static void test_bf16(void **state)
{
    (void)state;
    check_round_trip(&BF16);
    check_rounding(&BF16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_f16), cmocka_unit_test(test_bf16)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
