#include "ref/concat.h"

#include <stdlib.h>

#include "ops/op.h"
#include "support/case.h"

static void check_concat(br_test_device *device, br_dtype dtype, int64_t rows, int64_t a_width, int64_t b_width)
{
    br_test_case test;
    br_test_case_init(&test);
    br_value a = br_test_case_input(&test, "a", dtype, br_shape_of(1, 1, rows, a_width));
    br_value b = br_test_case_input(&test, "b", dtype, br_shape_of(1, 1, rows, b_width));
    double *expected = calloc((size_t)(rows * (a_width + b_width)), sizeof *expected);
    assert_non_null(expected);
    br_ref_concat(br_test_case_data(&test, a), (size_t)a_width, br_test_case_data(&test, b), (size_t)b_width, (size_t)rows,
                  expected);
    br_test_case_check(&test, device, br_op_concat(&test.graph, "concat", a, b), expected, 0);
    free(expected);
    br_test_case_finish(&test);
}

static void odd_and_even_channels(void **state)
{
    br_test_devices *devices = *state;
    for (br_dtype dtype = BR_F32; dtype <= BR_F16; dtype++) {
        if (dtype == BR_F16 && !br_test_has_f16(devices->full))
            break;
        check_concat(devices->full, dtype, 1, 1, 1);
        check_concat(devices->full, dtype, 113, 13, 7);
        check_concat(devices->full, dtype, 89, 4, 5);
        check_concat(devices->full, dtype, 89, 6, 4);
        check_concat(devices->full, dtype, 169, 32, 12);
        check_concat(devices->limited, dtype, 113, 13, 7);
        check_concat(devices->limited, dtype, 169, 32, 12);
    }
}

static void refuses(void **state)
{
    (void)state;
    br_test_case test;
    br_test_case_init(&test);
    br_value a = br_test_case_input(&test, "a", BR_F32, br_shape_of(1, 4, 4, 3));
    br_value b = br_test_case_input(&test, "b", BR_F32, br_shape_of(1, 4, 5, 3));
    assert_int_equal(br_op_concat(&test.graph, "cat", a, b), BR_NONE);
    br_test_case_refused(&test, "cat: cannot concatenate f32 [1, 4, 4, 3] and f32 [1, 4, 5, 3]");
    br_test_case_finish(&test);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(odd_and_even_channels),
        cmocka_unit_test(refuses),
    };
    return cmocka_run_group_tests(tests, br_test_devices_setup, br_test_devices_teardown);
}
