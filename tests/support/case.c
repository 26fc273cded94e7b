#include "support/case.h"

#include <stdio.h>
#include <stdlib.h>

#include "ops/op.h"

void br_test_case_init(br_test_case *test)
{
    *test = (br_test_case){0};
    br_graph_init(&test->graph);
}

void br_test_case_finish(br_test_case *test)
{
    br_graph_finish(&test->graph);
    for (int i = 0; i < test->input_count; i++)
        free(test->inputs[i].data);
}

static br_value keep_input(br_test_case *test, br_value value)
{
    assert_int_not_equal(value, BR_NONE);
    assert_true(test->input_count < BR_TEST_CASE_INPUT_MAX);
    br_dtype dtype = br_graph_dtype(&test->graph, value);
    size_t count = (size_t)br_shape_count(br_graph_shape(&test->graph, value));
    float *data = calloc(count, sizeof *data);
    assert_non_null(data);
    if (dtype != BR_I32)
        br_test_random(data, count, (uint32_t)test->input_count + 1);
    if (dtype == BR_F16)
        br_test_round_f16(data, count);
    test->inputs[test->input_count++] = (br_test_tensor){.value = value, .data = data};
    return value;
}

br_value br_test_case_input(br_test_case *test, const char *name, br_dtype dtype, br_shape shape)
{
    return keep_input(test, br_graph_input(&test->graph, name, dtype, shape));
}

br_value br_test_case_state(br_test_case *test, const char *name, br_shape shape)
{
    return keep_input(test, br_graph_state(&test->graph, name, BR_F32, shape));
}

float *br_test_case_data(br_test_case *test, br_value value)
{
    for (int i = 0; i < test->input_count; i++)
        if (test->inputs[i].value == value)
            return test->inputs[i].data;
    fail_msg("value %d is not an input", value);
    return NULL;
}

br_value br_test_case_temp(br_test_case *test, br_value x)
{
    return br_op_convert(&test->graph, "copy", &(br_convert_params){.x = x, .dtype = br_graph_dtype(&test->graph, x), .scale = 1});
}

void br_test_case_check(br_test_case *test, br_test_device *device, br_value y, const double *expected, double tolerance)
{
    if (y != BR_NONE && br_graph_value(&test->graph, y)->kind == BR_VALUE_TEMP)
        br_graph_output(&test->graph, y, "y");
    assert_status_ok(br_graph_verify(&test->graph));
    br_shape shape = br_graph_shape(&test->graph, y); /* running consumes the graph */
    size_t count = (size_t)br_shape_count(shape);
    float *actual = calloc(count, sizeof *actual);
    assert_non_null(actual);
    br_test_tensor output = {.value = y, .data = actual};
    assert_status_ok(br_test_run(&(br_test_run_params){.device = device,
                                                       .graph = &test->graph,
                                                       .inputs = test->inputs,
                                                       .input_count = test->input_count,
                                                       .outputs = &output,
                                                       .output_count = 1}));
    double error = br_test_relative_error(actual, expected, count);
    free(actual);
    if (!(error <= tolerance))
        fail_msg("relative error %g, tolerance %g, y is %s", error, tolerance, br_shape_format(shape).text);
}

void br_test_case_refused(br_test_case *test, const char *text)
{
    assert_status(br_graph_verify(&test->graph), BR_ERROR_ARGUMENT, text);
}

double br_test_tolerance(br_dtype dtype)
{
    return dtype == BR_F16 ? BR_TEST_F16_TOLERANCE : BR_TEST_F32_TOLERANCE;
}

int br_test_devices_setup(void **state)
{
    br_test_devices *devices = calloc(1, sizeof *devices);
    assert_non_null(devices);
    devices->full = br_test_device_open(NULL);
    devices->limited =
        br_test_device_open(&(br_vk_device_params){.max_storage_range = 4096, .max_invocations = 128, .max_groups = 7});
    devices->gpu_caps = *devices->full->caps;
    devices->gpu_caps.type = VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU;
    devices->gpu = *devices->full;
    devices->gpu.caps = &devices->gpu_caps;
    *state = devices;
    return 0;
}

int br_test_devices_teardown(void **state)
{
    br_test_devices *devices = *state;
    void *full = devices->full, *limited = devices->limited;
    free(devices);
    return br_test_device_teardown(&limited) + br_test_device_teardown(&full);
}

bool br_test_has_f16(const br_test_device *device)
{
    if (!device->caps->f16_storage)
        printf("f16 skipped: %s has no 16-bit storage\n", device->caps->name);
    return device->caps->f16_storage;
}
