/* Noise against torch.randn (tests/data/noise.json, written by tools/reference/noise.py), the known answers of Random123 and
 * published values of torch.randn(device="cuda"). */
#include "support/test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/rng.h"

/* PyTorch's block path takes logarithm, sine and cosine in float (2 ulp each, of values up to 5.8): 1e-6 absolute covers it
 * (its AVX2 and AVX-512 builds stay within 4.8e-7 of ours over 3 million values). */
#define TOLERANCE 1e-6

static void check_values(const json_t *expected, const float *actual, const char *seed, size_t call)
{
    size_t i;
    json_t *value;
    json_array_foreach((json_t *)expected, i, value)
    {
        double wanted = json_real_value(value);
        if (!(fabs((double)actual[i] - wanted) <= TOLERANCE)) {
            print_error("seed %s call %zu value %zu is %.9g, torch gives %.9g\n", seed, call, i, (double)actual[i], wanted);
            fail();
        }
    }
}

static void cpu_matches_torch(void **state)
{
    (void)state;
    json_t *root;
    assert_status_ok(br_json_read(br_test_path("tests/data/noise.json"), 1 << 20, &root));
    json_t *cases = json_object_get(root, "cases"), *item, *call;
    size_t c, k;
    assert_true(json_array_size(cases) >= 10);
    json_array_foreach(cases, c, item)
    {
        const char *seed = json_string_value(json_object_get(item, "seed"));
        br_rng rng;
        br_rng_init(&rng, BR_RNG_CPU, strtoull(seed, NULL, 10));
        json_array_foreach(json_object_get(item, "calls"), k, call)
        {
            size_t size = (size_t)json_integer_value(json_object_get(call, "size"));
            const json_t *tail = json_object_get(call, "tail");
            float *values = malloc(size * sizeof *values);
            assert_non_null(values);
            memset(values, 0xff, size * sizeof *values);
            br_rng_normal(&rng, values, size);
            check_values(json_object_get(call, "head"), values, seed, k);
            check_values(tail, values + (size - json_array_size(tail)), seed, k);
            free(values);
        }
    }
    json_decref(root);
}

/* tests/kat_vectors of the Random123 distribution, lines "philox4x32 10". */
static void philox_known_answers(void **state)
{
    (void)state;
    static const struct {
        uint32_t counter[4], key[2], out[4];
    } answers[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        uint32_t out[4];
        br_philox4x32_10(answers[i].counter, answers[i].key, out);
        assert_memory_equal(out, answers[i].out, sizeof out);
    }
}

/* torch.randn(3, 4) on CUDA after manual_seed(0), as published with AUTOMATIC1111's modules/rng_philox.py (8 decimals). Those
 * were computed in double where CUDA uses float: a normal n moves by up to 3e-8 / n + 2.4e-7 · n. */
static void cuda_published_values(void **state)
{
    (void)state;
    static const double expected[12] = {-0.92466259, -0.42534415, -2.6438457,  0.14518388,  -0.12086647, -0.57972564,
                                        -0.62285122, -0.32838709, -1.07454231, -0.36314407, -1.67105067, 2.26550497};
    br_rng rng;
    float values[12];
    br_rng_init(&rng, BR_RNG_CUDA, 0);
    br_rng_normal(&rng, values, 12);
    for (int i = 0; i < 12; i++)
        assert_true(fabs((double)values[i] - expected[i]) <= TOLERANCE);
}

/* A call of any size moves PyTorch's offset by 4, i.e. every thread's counter by one; value i does not depend on the size. */
static void cuda_calls_advance_the_counter(void **state)
{
    (void)state;
    br_rng one, two;
    float first[113], again[7], second[7];
    br_rng_init(&one, BR_RNG_CUDA, UINT64_C(0x123456789abcdef0));
    br_rng_init(&two, BR_RNG_CUDA, UINT64_C(0x123456789abcdef0));
    br_rng_normal(&one, first, 113);
    br_rng_normal(&two, again, 7);
    assert_memory_equal(first, again, sizeof again);
    br_rng_normal(&two, again, 0);
    assert_int_equal(two.philox_offset, 4);
    br_rng_normal(&one, second, 7);
    br_rng_normal(&two, again, 7);
    assert_memory_equal(second, again, sizeof again);
    assert_memory_not_equal(first, second, sizeof second);

    const uint32_t counter[4] = {1, 0, 5, 0}, key[2] = {0x9abcdef0, 0x12345678};
    uint32_t words[4];
    br_philox4x32_10(counter, key, words);
    double u = (words[0] + 0.5) * 0x1p-32, v = (words[1] + 0.5) * 0x1p-32;
    double normal = sqrt(-2 * log(u)) * sin(6.283185307179586 * v);
    assert_true(fabs((double)second[5] - normal) <= 2e-6);
}

/* Mean 0 and variance 1 within 5 standard errors of a sample of 2^16; finite everywhere. */
static void moments(void **state)
{
    (void)state;
    enum { COUNT = 1 << 16 };
    float *values = malloc(COUNT * sizeof *values);
    assert_non_null(values);
    for (int kind = BR_RNG_CPU; kind <= BR_RNG_CUDA; kind++) {
        br_rng rng;
        br_rng_init(&rng, (br_rng_kind)kind, 2024);
        br_rng_normal(&rng, values, COUNT);
        double sum = 0, squares = 0;
        for (int i = 0; i < COUNT; i++) {
            assert_true(isfinite(values[i]));
            sum += (double)values[i];
            squares += (double)values[i] * (double)values[i];
        }
        assert_true(fabs(sum / COUNT) < 5.0 / 256);
        assert_true(fabs(squares / COUNT - 1) < 5.0 * sqrt(2.0) / 256);
    }
    free(values);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cpu_matches_torch),
        cmocka_unit_test(philox_known_answers),
        cmocka_unit_test(cuda_published_values),
        cmocka_unit_test(cuda_calls_advance_the_counter),
        cmocka_unit_test(moments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
