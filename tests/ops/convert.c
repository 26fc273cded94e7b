#include "ref/convert.h"

#include <stdlib.h>

#include "ops/op.h"
#include "support/case.h"

static void check_convert(br_test_device *device, br_shape shape, br_dtype from, br_convert_params params)
{
    br_test_case test;
    br_test_case_init(&test);
    params.x = br_test_case_input(&test, "x", from, shape);
    size_t count = (size_t)br_shape_count(shape);
    double *expected = calloc(count, sizeof *expected);
    assert_non_null(expected);
    br_ref_convert(br_test_case_data(&test, params.x), shape, &params, expected);
    br_test_case_check(&test, device, br_op_convert(&test.graph, "convert", &params), expected, br_test_tolerance(params.dtype));
    free(expected);
    br_test_case_finish(&test);
}

/* On the limited device, pictures that fit a binding and pictures that do not. */
static void types_and_layouts(void **state)
{
    br_test_devices *devices = *state;
    for (br_dtype from = BR_F32; from <= BR_F16; from++)
        for (br_dtype to = BR_F32; to <= BR_F16; to++) {
            if ((from == BR_F16 || to == BR_F16) && !br_test_has_f16(devices->full))
                continue;
            for (br_layout_change layout = BR_LAYOUT_KEEP; layout <= BR_LAYOUT_NHWC_TO_NCHW; layout++)
                for (int i = 0; i < 2; i++) {
                    br_test_device *device = i ? devices->limited : devices->full;
                    br_convert_params params = {.dtype = to, .layout = layout, .scale = 0.5f, .shift = 0.25f};
                    check_convert(device, br_shape_of(1, 1, 1, 1), from, params);
                    check_convert(device, br_shape_of(2, 3, 13, 7), from, params);
                    check_convert(device, br_shape_of(2, 4, 16, 8), from, params);
                    check_convert(device, br_shape_of(2, 37, 43, 3), from, params);
                    check_convert(device, br_shape_of(1, 3, 89, 113), from, params);
                }
        }
}

static void in_place(void **state)
{
    br_test_devices *devices = *state;
    br_test_case test;
    br_test_case_init(&test);
    br_shape shape = br_shape_of(3, 29);
    br_value x = br_test_case_input(&test, "x", BR_F32, shape);
    double expected[87];
    br_convert_params params = {.x = x, .dtype = BR_F32, .scale = -2, .shift = 1};
    br_ref_convert(br_test_case_data(&test, x), shape, &params, expected);
    params.x = br_test_case_temp(&test, x);
    br_test_case_check(&test, devices->full, br_test_case_temp(&test, br_op_convert(&test.graph, "convert", &params)), expected,
                       BR_TEST_F32_TOLERANCE);
    br_test_case_finish(&test);
}

static void refuses(void **state)
{
    (void)state;
    br_test_case test;
    br_test_case_init(&test);
    br_convert_params params = {.x = br_test_case_input(&test, "x", BR_F32, br_shape_of(2, 3)), .dtype = BR_F32, .scale = 1};
    params.layout = BR_LAYOUT_NCHW_TO_NHWC;
    assert_int_equal(br_op_convert(&test.graph, "convert", &params), BR_NONE);
    br_test_case_refused(&test, "convert: x is [2, 3], expected 4 dimensions to change the layout");
    br_test_case_finish(&test);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(types_and_layouts),
        cmocka_unit_test(in_place),
        cmocka_unit_test(refuses),
    };
    return cmocka_run_group_tests(tests, br_test_devices_setup, br_test_devices_teardown);
}
