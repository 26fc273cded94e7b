#include "ref/add.h"

#include <stdlib.h>

#include "ops/op.h"
#include "support/case.h"

static void check_add(br_test_device *device, br_dtype dtype, br_shape shape, bool in_place)
{
    br_test_case test;
    br_test_case_init(&test);
    br_value a = br_test_case_input(&test, "a", dtype, shape), b = br_test_case_input(&test, "b", dtype, shape);
    size_t count = (size_t)br_shape_count(shape);
    double *expected = calloc(count, sizeof *expected);
    assert_non_null(expected);
    br_ref_add(br_test_case_data(&test, a), br_test_case_data(&test, b), count, expected);
    br_value y = br_op_add(&test.graph, "add", in_place ? br_test_case_temp(&test, a) : a, b);
    br_test_case_check(&test, device, in_place ? br_test_case_temp(&test, y) : y, expected, br_test_tolerance(dtype));
    free(expected);
    br_test_case_finish(&test);
}

static void odd_and_even_sizes(void **state)
{
    br_test_devices *devices = *state;
    for (br_dtype dtype = BR_F32; dtype <= BR_F16; dtype++) {
        if (dtype == BR_F16 && !br_test_has_f16(devices->full))
            break;
        check_add(devices->full, dtype, br_shape_of(1, 1, 1, 1), false);
        check_add(devices->full, dtype, br_shape_of(1, 13, 7, 5), false);
        check_add(devices->full, dtype, br_shape_of(2, 89, 12), false);
        check_add(devices->full, dtype, br_shape_of(2, 113, 33, 40), true);
    }
}

static void low_limits(void **state)
{
    br_test_devices *devices = *state;
    for (br_dtype dtype = BR_F32; dtype <= BR_F16; dtype++) {
        if (dtype == BR_F16 && !br_test_has_f16(devices->limited))
            break;
        check_add(devices->limited, dtype, br_shape_of(89, 113), false);
        check_add(devices->limited, dtype, br_shape_of(2, 1024), true);
    }
}

static void same_value_twice(void **state)
{
    br_test_devices *devices = *state;
    br_test_case test;
    br_test_case_init(&test);
    br_value a = br_test_case_input(&test, "a", BR_F32, br_shape_of(17));
    double expected[17];
    br_ref_add(br_test_case_data(&test, a), br_test_case_data(&test, a), 17, expected);
    br_value temp = br_test_case_temp(&test, a);
    br_test_case_check(&test, devices->full, br_op_add(&test.graph, "add", temp, temp), expected, BR_TEST_F32_TOLERANCE);
    br_test_case_finish(&test);
}

static void refuses(void **state)
{
    (void)state;
    br_test_case test;
    br_test_case_init(&test);
    br_value a = br_test_case_input(&test, "a", BR_F32, br_shape_of(2, 3)),
             b = br_test_case_input(&test, "b", BR_F32, br_shape_of(3, 2));
    assert_int_equal(br_op_add(&test.graph, "add", BR_NONE, b), BR_NONE);
    assert_int_equal(br_op_add(&test.graph, "add", a, b), BR_NONE);
    br_test_case_refused(&test, "add: cannot add f32 [2, 3] and f32 [3, 2]");
    br_test_case_finish(&test);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(odd_and_even_sizes),
        cmocka_unit_test(low_limits),
        cmocka_unit_test(same_value_twice),
        cmocka_unit_test(refuses),
    };
    return cmocka_run_group_tests(tests, br_test_devices_setup, br_test_devices_teardown);
}
