#include "ref/layer_norm.h"

#include <stdlib.h>

#include "ops/op.h"
#include "support/case.h"

static void check_layer_norm(br_test_device *device, br_dtype dtype, int64_t rows, int64_t width, float mean)
{
    br_test_case test;
    br_test_case_init(&test);
    br_value x = br_test_case_input(&test, "x", dtype, br_shape_of(1, rows, width));
    br_value gamma = br_test_case_input(&test, "gamma", BR_F32, br_shape_of(width));
    br_value beta = br_test_case_input(&test, "beta", BR_F32, br_shape_of(width));
    size_t count = (size_t)(rows * width);
    float *data = br_test_case_data(&test, x);
    if (mean != 0)
        for (size_t i = 0; i < count; i++)
            data[i] += mean;
    double *expected = calloc(count, sizeof *expected);
    assert_non_null(expected);
    br_ref_layer_norm(&(br_ref_layer_norm_params){.x = data,
                                                  .gamma = br_test_case_data(&test, gamma),
                                                  .beta = br_test_case_data(&test, beta),
                                                  .rows = (size_t)rows,
                                                  .width = (size_t)width,
                                                  .eps = (double)1e-5f},
                      expected);
    br_value y = br_op_layer_norm(
        &test.graph, "norm", &(br_layer_norm_params){.x = br_test_case_temp(&test, x), .gamma = gamma, .beta = beta, .eps = 1e-5f});
    /* A mean of 1000 is rounded by up to 3.1e-5, and the sum it comes from by a few times that (a tree over lanes that add up to 8 vectors each);
     * the deviation is 0.58. */
    br_test_case_check(&test, device, br_test_case_temp(&test, y), expected, mean != 0 ? 2.5e-4 : br_test_tolerance(dtype));
    free(expected);
    br_test_case_finish(&test);
}

static void widths(void **state)
{
    br_test_devices *devices = *state;
    const int64_t sizes[] = {2, 13, 64, 89, 113, 320, 768, 1280, 1283, 4096, 4099, 10240};
    for (br_dtype dtype = BR_F32; dtype <= BR_F16; dtype++) {
        if (dtype == BR_F16 && !br_test_has_f16(devices->full))
            break;
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            check_layer_norm(devices->full, dtype, 1, sizes[i], 0);
            check_layer_norm(devices->full, dtype, 29, sizes[i], 0);
            check_layer_norm(&devices->gpu, dtype, 29, sizes[i], 0);
        }
    }
}

static void large_mean(void **state)
{
    br_test_devices *devices = *state;
    check_layer_norm(devices->full, BR_F32, 7, 320, 1000);
    check_layer_norm(devices->full, BR_F32, 7, 1283, 1000);
    check_layer_norm(&devices->gpu, BR_F32, 7, 1283, 1000);
}

static void low_limits(void **state)
{
    br_test_devices *devices = *state;
    for (br_dtype dtype = BR_F32; dtype <= BR_F16; dtype++) {
        if (dtype == BR_F16 && !br_test_has_f16(devices->limited))
            break;
        check_layer_norm(devices->limited, dtype, 113, 13, 0);
        check_layer_norm(devices->limited, dtype, 89, 76, 0);
        check_layer_norm(devices->limited, dtype, 5, 949, 0);
    }
}

static void refuses(void **state)
{
    (void)state;
    br_test_case test;
    br_test_case_init(&test);
    br_value x = br_test_case_input(&test, "x", BR_F32, br_shape_of(3, 7));
    br_value gamma = br_test_case_input(&test, "gamma", BR_F32, br_shape_of(7)),
             beta = br_test_case_input(&test, "beta", BR_F32, br_shape_of(5));
    br_layer_norm_params params = {.x = x, .gamma = gamma, .beta = beta, .eps = 1e-5f};
    assert_int_equal(br_op_layer_norm(&test.graph, "norm", &params), BR_NONE);
    br_test_case_refused(&test, "norm: beta is f32 [5], expected f32 [7]");
    br_test_case_finish(&test);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(widths),
        cmocka_unit_test(large_mean),
        cmocka_unit_test(low_limits),
        cmocka_unit_test(refuses),
    };
    return cmocka_run_group_tests(tests, br_test_devices_setup, br_test_devices_teardown);
}
