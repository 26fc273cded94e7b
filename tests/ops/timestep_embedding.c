#include "ref/timestep_embedding.h"

#include <math.h>
#include <stdlib.h>

#include "common/abi.h"
#include "support/case.h"

/* Fills y with what the device computes. */
static void run(br_test_device *device, float t, br_timestep_embedding_params params, float *y)
{
    br_graph graph;
    br_graph_init(&graph);
    br_step step = {.timestep = t};
    params.step = br_graph_step(&graph);
    params.values = BR_NONE;
    br_value value = br_op_timestep_embedding(&graph, "time", &params);
    br_graph_output(&graph, value, "y");
    br_test_tensor input = {.value = params.step, .raw = &step}, output = {.value = value, .data = y};
    assert_status_ok(br_graph_verify(&graph));
    assert_status_ok(br_test_run(&(br_test_run_params){
        .device = device, .graph = &graph, .inputs = &input, .input_count = 1, .outputs = &output, .output_count = 1}));
    br_graph_finish(&graph);
}

/* Absolute error against double: the angle is exact to 2e-9; the polynomials' remainders are 3e-8, their roundings, and those of the angle as a float, a few
 * times 6e-8. An angle computed in floats would be up to 6e-5 off at t = 1000. */
static void check_time(br_test_device *device, float t, br_timestep_embedding_params params)
{
    float *y = calloc((size_t)params.dim, sizeof *y);
    double *expected = calloc((size_t)params.dim, sizeof *expected);
    assert_non_null(y);
    assert_non_null(expected);
    run(device, t, params, y);
    br_ref_timestep_embedding((double)t, &params, expected);
    for (int64_t i = 0; i < params.dim; i++)
        if (!(fabs(y[i] - expected[i]) <= 2.5e-7))
            fail_msg("t %g, dim %d: element %d is %.9g, expected %.9g", (double)t, (int)params.dim, (int)i, (double)y[i],
                     expected[i]);
    free(y);
    free(expected);
}

/* Of values of their own: the same numbers as one by one from the step. */
static void check_values(br_test_device *device, int64_t rows, int64_t count, br_timestep_embedding_params params)
{
    static const float values[] = {1024, 0, 13.5f, -7.25f, 768, 6, 89, 1, 2.5f, 1000, 512, 4096, 3, 999, 0.001f};
    assert_true((size_t)(rows * count) <= sizeof values / sizeof *values);
    float *y = calloc((size_t)(rows * count * params.dim), sizeof *y), *one = calloc((size_t)params.dim, sizeof *one);
    assert_non_null(y);
    assert_non_null(one);
    br_graph graph;
    br_graph_init(&graph);
    params.step = BR_NONE;
    params.values = br_graph_input(&graph, "values", BR_F32, br_shape_of(rows, count));
    br_value value = br_op_timestep_embedding(&graph, "time", &params);
    assert_true(br_shape_equal(br_graph_shape(&graph, value), br_shape_of(rows, count * params.dim)));
    br_graph_output(&graph, value, "y");
    br_test_tensor input = {.value = params.values, .raw = values}, output = {.value = value, .data = y};
    assert_status_ok(br_graph_verify(&graph));
    assert_status_ok(br_test_run(&(br_test_run_params){
        .device = device, .graph = &graph, .inputs = &input, .input_count = 1, .outputs = &output, .output_count = 1}));
    br_graph_finish(&graph);
    for (int64_t i = 0; i < rows * count; i++) {
        run(device, values[i], params, one);
        assert_memory_equal(y + i * params.dim, one, (size_t)params.dim * sizeof *one);
    }
    free(y);
    free(one);
}

static void many_times(void **state)
{
    br_test_devices *devices = *state;
    check_values(devices->full, 2, 6, (br_timestep_embedding_params){.dim = 256, .flip_sin_to_cos = true, .max_period = 10000});
    check_values(devices->full, 3, 5, (br_timestep_embedding_params){.dim = 13, .max_period = 10000});
    check_values(devices->limited, 1, 13, (br_timestep_embedding_params){.dim = 61, .freq_shift = 1, .max_period = 77});
}

static void all_times(void **state)
{
    br_test_devices *devices = *state;
    const float times[] = {0, 1, 13, 89.37f, 500, 981, 999, 1000, 998.99994f, 0.001f, -7.25f, 65536.5f};
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        check_time(devices->full, times[i],
                   (br_timestep_embedding_params){.dim = 320, .flip_sin_to_cos = true, .max_period = 10000});
        check_time(devices->limited, times[i], (br_timestep_embedding_params){.dim = 64, .freq_shift = 1, .max_period = 10000});
    }
}

static void all_options(void **state)
{
    br_test_devices *devices = *state;
    const int64_t dims[] = {2, 3, 13, 128, 1281, 8192};
    for (size_t i = 0; i < sizeof dims / sizeof dims[0]; i++) {
        check_time(devices->full, 961, (br_timestep_embedding_params){.dim = dims[i], .max_period = 10000});
        check_time(devices->full, 961,
                   (br_timestep_embedding_params){.dim = dims[i], .flip_sin_to_cos = true, .freq_shift = 0.5f, .max_period = 77});
    }
}

/* diffusers 0.39.0 with PyTorch 2.15.0 in f32: get_timestep_embedding(torch.tensor([981]), 8, flip_sin_to_cos=True, downscale_freq_shift=0). Its angles are floats, hence 6e-5. */
static void like_diffusers(void **state)
{
    br_test_devices *devices = *state;
    static const float expected[8] = {0.679957211f, -0.757958531f, -0.926715195f, 0.556191802f,
                                      0.73325181f,  -0.652302742f, -0.37576443f,  0.831053972f};
    float y[8];
    run(devices->full, 981, (br_timestep_embedding_params){.dim = 8, .flip_sin_to_cos = true, .max_period = 10000}, y);
    for (int i = 0; i < 8; i++)
        assert_float_equal(y[i], expected[i], 6e-5f);
}

static void refuses(void **state)
{
    (void)state;
    br_test_case test;
    br_test_case_init(&test);
    br_value step = br_graph_step(&test.graph), x = br_test_case_input(&test, "x", BR_F32, br_shape_of(4));
    br_timestep_embedding_params params = {.step = step, .values = BR_NONE, .dim = 2, .freq_shift = 1, .max_period = 10000};
    assert_int_equal(br_op_timestep_embedding(&test.graph, "time", &params), BR_NONE);
    br_test_case_refused(&test, "time: freq_shift is 1, expected less than 1");
    params.step = x;
    assert_int_equal(br_op_timestep_embedding(&test.graph, "time", &params), BR_NONE);
    br_test_case_refused(&test, "time: step is f32 [4], expected i32 [");
    params.values = x;
    assert_int_equal(br_op_timestep_embedding(&test.graph, "time", &params), BR_NONE);
    br_test_case_refused(&test, "time: values is f32 [4], expected f32 [B, N]");
    br_test_case_finish(&test);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_times),      cmocka_unit_test(all_options), cmocka_unit_test(many_times),
        cmocka_unit_test(like_diffusers), cmocka_unit_test(refuses),
    };
    return cmocka_run_group_tests(tests, br_test_devices_setup, br_test_devices_teardown);
}
