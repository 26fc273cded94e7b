#include "ref/model_input.h"

#include <stdlib.h>

#include "common/abi.h"
#include "ops/op.h"
#include "support/case.h"

static void check_model_input(br_test_device *device, br_dtype dtype, br_shape shape, int copies)
{
    br_test_case test;
    br_test_case_init(&test);
    br_step step = {.input_scale = 0.37f};
    br_value buffer = br_graph_step(&test.graph), x = br_test_case_state(&test, "x", shape);
    test.inputs[test.input_count++] = (br_test_tensor){.value = buffer, .raw = &step};
    size_t count = (size_t)br_shape_count(shape);
    double *expected = calloc(count * (size_t)copies, sizeof *expected);
    assert_non_null(expected);
    br_ref_model_input(br_test_case_data(&test, x), count, copies, (double)step.input_scale, expected);
    br_test_case_check(&test, device, br_op_model_input(&test.graph, "input", buffer, x, copies, dtype), expected,
                       br_test_tolerance(dtype));
    free(expected);
    br_test_case_finish(&test);
}

static void copies(void **state)
{
    br_test_devices *devices = *state;
    for (br_dtype dtype = BR_F32; dtype <= BR_F16; dtype++) {
        if (dtype == BR_F16 && !br_test_has_f16(devices->full))
            break;
        for (int n = 1; n <= 3; n++) {
            check_model_input(devices->full, dtype, br_shape_of(1, 1, 1, 1), n);
            check_model_input(devices->full, dtype, br_shape_of(1, 13, 7, 5), n);
            check_model_input(devices->full, dtype, br_shape_of(2, 32, 32, 4), n);
            check_model_input(devices->limited, dtype, br_shape_of(1, 13, 11, 7), n);
            check_model_input(devices->limited, dtype, br_shape_of(1, 16, 16, 4), n);
        }
    }
}

static void refuses(void **state)
{
    (void)state;
    br_test_case test;
    br_test_case_init(&test);
    br_value step = br_graph_step(&test.graph), x = br_test_case_state(&test, "x", br_shape_of(4, 4));
    assert_int_equal(br_op_model_input(&test.graph, "input", step, x, 2, BR_F32), BR_NONE);
    br_test_case_refused(&test, "input: x is f32 [4, 4], expected f32 [B, H, W, C]");
    br_test_case_finish(&test);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copies),
        cmocka_unit_test(refuses),
    };
    return cmocka_run_group_tests(tests, br_test_devices_setup, br_test_devices_teardown);
}
