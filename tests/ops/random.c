#include "ref/random.h"

#include <math.h>
#include <stdlib.h>

#include "ops/op.h"
#include "support/case.h"
#include "support/op.h"

/* Numbers are exact but for the product with the scale, one rounding, and the rounding to 16 bits. */
static void check_random(br_test_device *device, br_dtype dtype, size_t count, float scale, uint32_t seed)
{
    br_test_case test;
    br_test_case_init(&test);
    float *data = calloc(count, sizeof *data);
    assert_non_null(data);
    br_value y = br_graph_state(&test.graph, "y", dtype, br_shape_of((int64_t)count));
    br_op_random(&test.graph, "random", &(br_random_params){.y = y, .scale = scale, .seed = seed});
    br_test_tensor output = {.value = y, .data = data};
    assert_status_ok(
        br_test_run(&(br_test_run_params){.device = device, .graph = &test.graph, .outputs = &output, .output_count = 1}));
    double limit = dtype == BR_F16 ? 0x1p-11 : 0x1p-24, sum = 0, squares = 0;
    for (size_t i = 0; i < count; i++) {
        double expected = (double)scale * br_ref_random(seed, (uint32_t)i);
        /* 2^-25: half of a 16-bit float's smallest step */
        if (!(fabs(data[i] - expected) <= limit * 1.01 * fabs(expected) + (dtype == BR_F16 ? 0x1p-25 : 0)))
            fail_msg("element %zu of %zu is %.9g, expected %.9g", i, count, (double)data[i], expected);
        sum += data[i] / (double)scale;
        squares += data[i] / (double)scale * (data[i] / (double)scale);
    }
    /* A uniform number has variance 1/3, its square 4/45: five standard deviations. */
    assert_true(fabs(sum / (double)count) <= 5 * sqrt(1.0 / 3 / (double)count) + limit);
    assert_true(fabs(squares / (double)count - 1.0 / 3) <= 5 * sqrt(4.0 / 45 / (double)count) + limit);
    free(data);
    br_test_case_finish(&test);
}

static void every_number(void **state)
{
    br_test_devices *devices = *state;
    const size_t counts[] = {1, 13, 89, 4096, 10007};
    for (br_dtype dtype = BR_F32; dtype <= BR_F16; dtype++) {
        if (dtype == BR_F16 && !br_test_has_f16(devices->full))
            break;
        for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
            check_random(devices->full, dtype, counts[i], 1, 0);
            check_random(devices->full, dtype, counts[i], 0.037f, 0x9e3779b9u);
        }
    }
}

/* Cut into pieces that the device binds: numbering goes on. */
static void low_limits(void **state)
{
    br_test_devices *devices = *state;
    check_random(devices->limited, BR_F32, 10007, 3, 7);
    if (br_test_has_f16(devices->limited))
        check_random(devices->limited, BR_F16, 10007, 3, 7);
}

static void refuses(void **state)
{
    (void)state;
    br_test_case test;
    br_test_case_init(&test);
    br_value y = br_graph_state(&test.graph, "y", BR_I32, br_shape_of(2, 3));
    br_op_random(&test.graph, "random", &(br_random_params){.y = y, .scale = 1});
    br_test_case_refused(&test, "random: y is i32, expected f32 or f16");
    y = br_graph_state(&test.graph, "floats", BR_F32, br_shape_of(2, 3));
    br_op_random(&test.graph, "random", &(br_random_params){.y = y, .scale = INFINITY});
    br_test_case_refused(&test, "random: the scale is inf");
    br_test_case_finish(&test);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_number),
        cmocka_unit_test(low_limits),
        cmocka_unit_test(refuses),
    };
    return cmocka_run_group_tests(tests, br_test_devices_setup, br_test_devices_teardown);
}
