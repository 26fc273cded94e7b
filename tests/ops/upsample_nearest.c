#include "ref/upsample_nearest.h"

#include <stdlib.h>

#include "ops/op.h"
#include "support/case.h"

static void check_upsample(br_test_device *device, br_dtype dtype, br_shape shape, int64_t height, int64_t width)
{
    br_test_case test;
    br_test_case_init(&test);
    br_value x = br_test_case_input(&test, "x", dtype, shape);
    double *expected = calloc((size_t)(shape.dim[0] * height * width * shape.dim[3]), sizeof *expected);
    assert_non_null(expected);
    br_ref_upsample_nearest(br_test_case_data(&test, x), shape, height, width, expected);
    br_test_case_check(&test, device, br_op_upsample_nearest(&test.graph, "up", x, height, width), expected, 0);
    free(expected);
    br_test_case_finish(&test);
}

static void factors(void **state)
{
    br_test_devices *devices = *state;
    for (br_dtype dtype = BR_F32; dtype <= BR_F16; dtype++) {
        if (dtype == BR_F16 && !br_test_has_f16(devices->full))
            break;
        for (int i = 0; i < 2; i++) {
            br_test_device *device = i ? devices->limited : devices->full;
            check_upsample(device, dtype, br_shape_of(1, 1, 1, 1), 1, 1);
            check_upsample(device, dtype, br_shape_of(2, 8, 8, 12), 16, 16);
            check_upsample(device, dtype, br_shape_of(2, 7, 5, 13), 14, 10);
            check_upsample(device, dtype, br_shape_of(3, 7, 13, 4), 17, 29);
            check_upsample(device, dtype, br_shape_of(1, 89, 11, 5), 13, 7);
            check_upsample(device, dtype, br_shape_of(2, 3, 3, 8), 89, 23);
        }
    }
}

static void refuses(void **state)
{
    (void)state;
    br_test_case test;
    br_test_case_init(&test);
    br_value x = br_test_case_input(&test, "x", BR_F32, br_shape_of(1, 4, 4, 3));
    assert_int_equal(br_op_upsample_nearest(&test.graph, "up", x, 0, 8), BR_NONE);
    br_test_case_refused(&test, "up: cannot resize [1, 4, 4, 3] to 0 x 8");
    br_test_case_finish(&test);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(factors),
        cmocka_unit_test(refuses),
    };
    return cmocka_run_group_tests(tests, br_test_devices_setup, br_test_devices_teardown);
}
