#include "ref/keep.h"

#include <stdlib.h>

#include "common/abi.h"
#include "ops/op.h"
#include "support/case.h"

static void check_keep(br_test_device *device, br_shape shape)
{
    br_test_case test;
    br_test_case_init(&test);
    br_step step = {.keep_signal = 0.8f, .keep_noise = 0.6f};
    br_value buffer = br_graph_step(&test.graph), x = br_test_case_state(&test, "x", shape);
    test.inputs[test.input_count++] = (br_test_tensor){.value = buffer, .raw = &step};
    br_shape flat = shape;
    flat.dim[3] = 1;
    br_value mask = br_test_case_input(&test, "mask", BR_F32, flat), known = br_test_case_input(&test, "known", BR_F32, shape);
    br_value noise = br_test_case_input(&test, "noise", BR_F32, shape);
    size_t rows = (size_t)br_shape_count(flat), channels = (size_t)shape.dim[3], count = rows * channels;
    float *weights = br_test_case_data(&test, mask), *actual = calloc(count, sizeof *actual);
    double *expected = calloc(count, sizeof *expected);
    assert_non_null(expected);
    assert_non_null(actual);
    for (size_t i = 0; i < rows; i++) /* mostly 0 or 1, sometimes between */
        weights[i] = weights[i] < -0.2f ? 0 : weights[i] > 0.2f ? 1 : weights[i] + 0.5f;
    for (size_t i = 0; i < count; i++)
        expected[i] = br_test_case_data(&test, x)[i];
    br_ref_keep(&(br_ref_keep_params){.mask = weights,
                                      .known = br_test_case_data(&test, known),
                                      .noise = br_test_case_data(&test, noise),
                                      .rows = rows,
                                      .channels = channels,
                                      .signal = (double)step.keep_signal,
                                      .level = (double)step.keep_noise},
                expected);
    br_op_keep(&test.graph, "keep", &(br_keep_params){.step = buffer, .x = x, .mask = mask, .known = known, .noise = noise});
    br_test_tensor output = {.value = x, .data = actual};
    assert_status_ok(br_test_run(&(br_test_run_params){.device = device,
                                                       .graph = &test.graph,
                                                       .inputs = test.inputs,
                                                       .input_count = test.input_count,
                                                       .outputs = &output,
                                                       .output_count = 1}));
    assert_true(br_test_relative_error(actual, expected, count) <= BR_TEST_F32_TOLERANCE);
    free(actual);
    free(expected);
    br_test_case_finish(&test);
}

static void shapes(void **state)
{
    br_test_devices *devices = *state;
    check_keep(devices->full, br_shape_of(1, 1, 1, 1));
    check_keep(devices->full, br_shape_of(2, 13, 7, 5));
    check_keep(devices->full, br_shape_of(1, 31, 33, 4));
    check_keep(devices->limited, br_shape_of(1, 11, 13, 3));
}

static void refuses(void **state)
{
    (void)state;
    br_test_case test;
    br_test_case_init(&test);
    br_shape shape = br_shape_of(1, 4, 4, 3);
    br_keep_params params = {.step = br_graph_step(&test.graph),
                             .x = br_test_case_state(&test, "x", shape),
                             .mask = br_test_case_input(&test, "mask", BR_F32, shape),
                             .known = br_test_case_input(&test, "known", BR_F32, shape),
                             .noise = br_test_case_input(&test, "noise", BR_F32, shape)};
    br_op_keep(&test.graph, "keep", &params);
    br_test_case_refused(&test, "keep: mask is f32 [1, 4, 4, 3], expected f32 [1, 4, 4, 1]");
    params.x = params.known;
    br_op_keep(&test.graph, "keep", &params);
    br_test_case_refused(&test, "keep: x is [1, 4, 4, 3], expected a state [B, H, W, C]: it is updated in place");
    br_test_case_finish(&test);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes),
        cmocka_unit_test(refuses),
    };
    return cmocka_run_group_tests(tests, br_test_devices_setup, br_test_devices_teardown);
}
