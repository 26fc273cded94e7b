#include "ref/sampler_step.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ops/op.h"
#include "support/case.h"

#include "support/case.h"

#include "ops/op.h"

typedef struct sampler_case {
    br_dtype dtype;
    br_shape shape;
    bool guided;
    br_step step;
    bool fresh; /* history and noise were never written */
} sampler_case;

static double *widen(const float *values, size_t count)
{
    double *wide = calloc(count, sizeof *wide);
    assert_non_null(wide);
    for (size_t i = 0; i < count; i++)
        wide[i] = values[i];
    return wide;
}

/* Two replays, so that the second one sees the states that the first one left. */
static void check_sampler(br_test_device *device, const sampler_case *c)
{
    br_test_case test;
    br_test_case_init(&test);
    size_t count = (size_t)br_shape_count(c->shape);
    br_shape out_shape = c->shape;
    out_shape.dim[0] *= c->guided ? 2 : 1;
    br_value step = br_graph_step(&test.graph), x = br_test_case_state(&test, "x", c->shape);
    br_value history = br_test_case_state(&test, "history", br_shape_of(BR_HISTORY_MAX, (int64_t)count));
    br_value out = br_test_case_input(&test, "out", c->dtype, out_shape);
    br_value noise = br_test_case_input(&test, "noise", BR_F32, c->shape);
    if (c->fresh) {
        float *values = br_test_case_data(&test, history);
        for (size_t i = 0; i < BR_HISTORY_MAX * count; i++)
            values[i] = NAN;
        memset(br_test_case_data(&test, noise), 0xff, count * sizeof(float));
    }
    double *x_expected = widen(br_test_case_data(&test, x), count);
    double *history_expected = widen(br_test_case_data(&test, history), BR_HISTORY_MAX * count);
    br_ref_sampler_step_params reference = {.step = &c->step,
                                            .out = br_test_case_data(&test, out),
                                            .noise = br_test_case_data(&test, noise),
                                            .count = count,
                                            .guided = c->guided};
    br_ref_sampler_step(&reference, x_expected, history_expected);
    br_ref_sampler_step(&reference, x_expected, history_expected);

    br_op_sampler_step(&test.graph, "sampler",
                       &(br_sampler_step_params){.step = step, .out = out, .x = x, .history = history, .noise = noise});
    assert_status_ok(br_graph_verify(&test.graph));
    test.inputs[test.input_count++] = (br_test_tensor){.value = step, .raw = &c->step};
    float *actual = calloc((1 + BR_HISTORY_MAX) * count, sizeof *actual);
    assert_non_null(actual);
    br_test_tensor outputs[] = {{.value = x, .data = actual}, {.value = history, .data = actual + count}};
    assert_status_ok(br_test_run(&(br_test_run_params){.device = device,
                                                       .graph = &test.graph,
                                                       .inputs = test.inputs,
                                                       .input_count = test.input_count,
                                                       .outputs = outputs,
                                                       .output_count = 2,
                                                       .replays = 2}));
    assert_true(br_test_relative_error(actual, x_expected, count) <= BR_TEST_F32_TOLERANCE);
    for (size_t k = 0; k < BR_HISTORY_MAX; k++)
        if (!c->fresh || k == c->step.history_slot)
            assert_true(br_test_relative_error(actual + (1 + k) * count, history_expected + k * count, count) <=
                        BR_TEST_F32_TOLERANCE);
    free(actual);
    free(x_expected);
    free(history_expected);
    br_test_case_finish(&test);
}

static const br_step full_step = {.guidance = 7.5f,
                                  .x_scale = 0.91f,
                                  .out_scale = -0.23f,
                                  .noise_scale = 0.31f,
                                  .h_x = 1.07f,
                                  .h_out = -0.4f,
                                  .history_scale = {0.5f, -0.25f, 0.125f, 0.0625f},
                                  .history_slot = 2};

static void all_terms(void **state)
{
    br_test_devices *devices = *state;
    for (br_dtype dtype = BR_F32; dtype <= BR_F16; dtype++) {
        if (dtype == BR_F16 && !br_test_has_f16(devices->full))
            break;
        for (int guided = 0; guided <= 1; guided++)
            for (uint32_t slot = 0; slot < BR_HISTORY_MAX; slot++) {
                sampler_case c = {.dtype = dtype, .guided = guided, .step = full_step};
                c.step.history_slot = slot;
                c.shape = br_shape_of(1, 13, 11, 3);
                check_sampler(devices->full, &c);
                c.shape = br_shape_of(2, 33, 31, 4);
                check_sampler(devices->full, &c);
            }
    }
}

static void unused_memory_is_not_read(void **state)
{
    br_test_devices *devices = *state;
    sampler_case c = {.shape = br_shape_of(1, 7, 5, 3), .guided = true, .fresh = true};
    c.step = (br_step){.guidance = 3, .x_scale = 0.9f, .out_scale = 0.1f, .h_out = 1, .history_slot = 1};
    check_sampler(devices->full, &c);
    c.shape = br_shape_of(1, 8, 8, 4);
    check_sampler(devices->full, &c);
}

static void low_limits(void **state)
{
    br_test_devices *devices = *state;
    sampler_case c = {.shape = br_shape_of(1, 7, 9, 4), .guided = true, .step = full_step};
    check_sampler(devices->limited, &c);
}

static void refuses(void **state)
{
    (void)state;
    br_test_case test;
    br_test_case_init(&test);
    br_shape shape = br_shape_of(1, 4, 4, 3);
    br_sampler_step_params params = {.step = br_graph_step(&test.graph),
                                     .x = br_test_case_state(&test, "x", shape),
                                     .history = br_test_case_state(&test, "history", br_shape_of(4, 48)),
                                     .out = br_test_case_input(&test, "out", BR_F32, br_shape_of(3, 4, 4, 3)),
                                     .noise = br_test_case_input(&test, "noise", BR_F32, shape)};
    br_op_sampler_step(&test.graph, "sampler", &params);
    br_test_case_refused(&test,
                         "sampler: the model's output is [3, 4, 4, 3], expected [1, 4, 4, 3], or [2, 4, 4, 3] with guidance");
    params.out = params.x;
    params.x = params.noise;
    br_op_sampler_step(&test.graph, "sampler", &params);
    br_test_case_refused(&test, "sampler: x is updated in place, so it has to be a state");
    br_test_case_finish(&test);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_terms),
        cmocka_unit_test(unused_memory_is_not_read),
        cmocka_unit_test(low_limits),
        cmocka_unit_test(refuses),
    };
    return cmocka_run_group_tests(tests, br_test_devices_setup, br_test_devices_teardown);
}
