#include "ref/activation.h"

#include <math.h>
#include <stdlib.h>

#include "ops/op.h"
#include "support/case.h"

static void check_activation(br_test_device *device, br_dtype dtype, br_activation kind, size_t count, float range)
{
    br_test_case test;
    br_test_case_init(&test);
    br_value x = br_test_case_input(&test, "x", dtype, br_shape_of((int64_t)count));
    double *expected = calloc(count, sizeof *expected);
    assert_non_null(expected);
    float *data = br_test_case_data(&test, x);
    for (size_t i = 0; i < count; i++)
        data[i] *= range;
    if (dtype == BR_F16)
        br_test_round_f16(data, count);
    for (size_t i = 0; i < count; i++)
        expected[i] = br_ref_activation(kind, data[i]);
    br_value y = br_op_activation(&test.graph, "act", br_test_case_temp(&test, x), kind);
    br_test_case_check(&test, device, br_test_case_temp(&test, y), expected, br_test_tolerance(dtype));
    free(expected);
    br_test_case_finish(&test);
}

/* Small inputs tell the forms of GELU apart, 100 is where exp(-x) overflows. */
static void all_kinds(void **state)
{
    br_test_devices *devices = *state;
    const float ranges[] = {0.1f, 1, 6, 100};
    for (br_dtype dtype = BR_F32; dtype <= BR_F16; dtype++) {
        if (dtype == BR_F16 && !br_test_has_f16(devices->full))
            break;
        for (br_activation kind = BR_ACTIVATION_NONE; kind <= BR_ACTIVATION_TANH; kind++)
            for (size_t i = 0; i < 4; i++) {
                check_activation(devices->full, dtype, kind, 1021, ranges[i]);
                check_activation(devices->full, dtype, kind, 1024, ranges[i]);
            }
    }
}

/* The relative error of every element by itself: where 1 - 2 / (e^2x + 1) cancels, and on either side of the change of formula at 1/4. exp() may be 4 units in the
 * last place off (Vulkan, precision of core functions), of a term that is three times the result there. */
static void small_tanh(void **state)
{
    br_test_devices *devices = *state;
    br_test_case test;
    br_test_case_init(&test);
    float y[601];
    br_value x = br_test_case_input(&test, "x", BR_F32, br_shape_of(601));
    float *data = br_test_case_data(&test, x);
    for (int i = 0; i < 601; i++)
        data[i] = (float)(i - 300) * 1e-3f;
    br_value out = br_op_activation(&test.graph, "act", x, BR_ACTIVATION_TANH);
    br_graph_output(&test.graph, out, "y");
    br_test_tensor input = {.value = x, .data = data}, output = {.value = out, .data = y};
    assert_status_ok(br_test_run(&(br_test_run_params){
        .device = devices->full, .graph = &test.graph, .inputs = &input, .input_count = 1, .outputs = &output, .output_count = 1}));
    for (int i = 0; i < 601; i++) {
        double expected = br_ref_activation(BR_ACTIVATION_TANH, data[i]);
        if (!(fabs(y[i] - expected) <= 2e-6 * fabs(expected)))
            fail_msg("tanh(%g) is %.9g, expected %.9g", (double)data[i], (double)y[i], expected);
    }
    br_test_case_finish(&test);
}

static void low_limits(void **state)
{
    br_test_devices *devices = *state;
    check_activation(devices->limited, BR_F32, BR_ACTIVATION_SILU, 10007, 3);
    check_activation(devices->limited, BR_F32, BR_ACTIVATION_GELU, 4096, 3);
    if (br_test_has_f16(devices->limited))
        check_activation(devices->limited, BR_F16, BR_ACTIVATION_GELU, 10007, 3);
}

static void refuses(void **state)
{
    (void)state;
    br_test_case test;
    br_test_case_init(&test);
    br_value x = br_test_case_input(&test, "x", BR_I32, br_shape_of(2, 3));
    assert_int_equal(br_op_activation(&test.graph, "act", x, BR_ACTIVATION_SILU), BR_NONE);
    br_test_case_refused(&test, "act: x is i32, expected f32 or f16");
    x = br_test_case_input(&test, "floats", BR_F32, br_shape_of(2, 3));
    assert_int_equal(br_op_activation(&test.graph, "act", x, BR_ACTIVATION_TANH + 1), BR_NONE);
    br_test_case_refused(&test, "act: 7 is not an activation");
    br_test_case_finish(&test);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_kinds),
        cmocka_unit_test(small_tanh),
        cmocka_unit_test(low_limits),
        cmocka_unit_test(refuses),
    };
    return cmocka_run_group_tests(tests, br_test_devices_setup, br_test_devices_teardown);
}
