#include "ref/geglu.h"

#include <stdlib.h>

#include "ops/op.h"
#include "support/case.h"

static void check_geglu(br_test_device *device, br_dtype dtype, int64_t rows, int64_t width)
{
    br_test_case test;
    br_test_case_init(&test);
    br_value x = br_test_case_input(&test, "x", dtype, br_shape_of(1, rows, 2 * width));
    double *expected = calloc((size_t)(rows * width), sizeof *expected);
    assert_non_null(expected);
    br_ref_geglu(br_test_case_data(&test, x), (size_t)rows, (size_t)width, expected);
    br_test_case_check(&test, device, br_op_geglu(&test.graph, "geglu", x), expected, br_test_tolerance(dtype));
    free(expected);
    br_test_case_finish(&test);
}

static void odd_and_even_sizes(void **state)
{
    br_test_devices *devices = *state;
    for (br_dtype dtype = BR_F32; dtype <= BR_F16; dtype++) {
        if (dtype == BR_F16 && !br_test_has_f16(devices->full))
            break;
        check_geglu(devices->full, dtype, 1, 1);
        check_geglu(devices->full, dtype, 13, 89);
        check_geglu(devices->full, dtype, 113, 64);
        check_geglu(devices->limited, dtype, 89, 13);
        check_geglu(devices->limited, dtype, 89, 52);
    }
}

static void refuses(void **state)
{
    br_test_devices *devices = *state;
    br_test_case test;
    br_test_case_init(&test);
    br_value x = br_test_case_input(&test, "x", BR_F32, br_shape_of(2, 3));
    assert_int_equal(br_op_geglu(&test.graph, "geglu", x), BR_NONE);
    br_test_case_refused(&test, "geglu: x is [2, 3], expected an even last dimension");
    br_test_case_finish(&test);

    /* A row that no binding of the device holds. */
    br_test_case_init(&test);
    x = br_test_case_input(&test, "x", BR_F32, br_shape_of(1, 2050));
    br_graph_output(&test.graph, br_op_geglu(&test.graph, "wide", x), "y");
    assert_status(br_test_run(&(br_test_run_params){.device = devices->limited, .graph = &test.graph}), BR_ERROR_UNSUPPORTED,
                  "the device binds at most 4096");
    br_test_case_finish(&test);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(odd_and_even_sizes),
        cmocka_unit_test(refuses),
    };
    return cmocka_run_group_tests(tests, br_test_devices_setup, br_test_devices_teardown);
}
