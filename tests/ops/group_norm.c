#include "ref/group_norm.h"

#include <stdlib.h>

#include "ops/op.h"
#include "support/case.h"

typedef struct shape_case {
    int64_t batch, height, width, channels, groups;
} shape_case;

typedef struct options {
    br_dtype dtype;
    bool silu;
    float mean, deviation; /* x is mean + deviation · uniform; 0, 0 leaves it */
    double tolerance;
    bool in_place;
    int64_t beside; /* how many of the channels, the last ones, are in a value of their own */
} options;

/* An input of `channels` channels, whose values become the channels from `first` on of `all`. */
static br_value add_input(br_test_case *test, const char *name, shape_case s, options o, int64_t first, int64_t channels,
                          float *all)
{
    br_value value = br_test_case_input(test, name, o.dtype, br_shape_of(s.batch, s.height, s.width, channels));
    float *data = br_test_case_data(test, value);
    for (int64_t i = 0; i < s.batch * s.height * s.width * channels; i++) {
        if (o.deviation != 0)
            data[i] = o.mean + o.deviation * data[i];
        all[i / channels * s.channels + first + i % channels] = data[i];
    }
    return value;
}

static void check_group_norm(br_test_device *device, shape_case s, options o)
{
    br_test_case test;
    br_test_case_init(&test);
    size_t count = (size_t)(s.batch * s.height * s.width * s.channels);
    float *data = malloc(count * sizeof *data);
    assert_non_null(data);
    br_value x = add_input(&test, "x", s, o, 0, s.channels - o.beside, data);
    br_value beside = o.beside ? add_input(&test, "beside", s, o, s.channels - o.beside, o.beside, data) : BR_NONE;
    br_value gamma = br_test_case_input(&test, "gamma", BR_F32, br_shape_of(s.channels));
    br_value beta = br_test_case_input(&test, "beta", BR_F32, br_shape_of(s.channels));
    double *expected = calloc(count, sizeof *expected);
    assert_non_null(expected);
    br_ref_group_norm(&(br_ref_group_norm_params){.x = data,
                                                  .gamma = br_test_case_data(&test, gamma),
                                                  .beta = br_test_case_data(&test, beta),
                                                  .pictures = (size_t)s.batch,
                                                  .rows = (size_t)(s.height * s.width),
                                                  .channels = (size_t)s.channels,
                                                  .groups = (size_t)s.groups,
                                                  .eps = (double)1e-5f,
                                                  .silu = o.silu},
                      expected);
    br_value y = br_op_group_norm(&test.graph, "norm",
                                  &(br_group_norm_params){.x = o.in_place ? br_test_case_temp(&test, x) : x,
                                                          .beside = beside,
                                                          .gamma = gamma,
                                                          .beta = beta,
                                                          .groups = (int)s.groups,
                                                          .eps = 1e-5f,
                                                          .activation = o.silu ? BR_ACTIVATION_SILU : BR_ACTIVATION_NONE});
    br_test_case_check(&test, device, o.in_place ? br_test_case_temp(&test, y) : y, expected,
                       o.tolerance > 0 ? o.tolerance : br_test_tolerance(o.dtype));
    free(expected), free(data);
    br_test_case_finish(&test);
}

/* Vectors within a group, across groups (widths 2, 5, 10), none (odd channels); groups wider than a workgroup; one pixel; several
 * chunks; more groups than one workgroup merges; the last two in two stages everywhere. */
static const shape_case shapes[] = {
    {1, 1, 1, 13, 1},   {2, 13, 7, 32, 8},    {2, 9, 11, 20, 2},  {1, 5, 3, 26, 13},  {3, 7, 5, 40, 4},    {1, 31, 17, 60, 6},
    {1, 3, 3, 2056, 1}, {2, 2, 3, 523, 1},    {1, 2, 2, 4104, 4}, {2, 67, 61, 8, 4},  {1, 89, 113, 4, 1},  {1, 64, 64, 64, 8},
    {2, 8, 8, 320, 32}, {1, 11, 13, 136, 34}, {1, 2, 2, 1052, 2}, {1, 37, 5, 523, 1}, {1, 33, 3, 2056, 1},
};

static void shapes_and_types(void **state)
{
    br_test_devices *devices = *state;
    for (br_dtype dtype = BR_F32; dtype <= BR_F16; dtype++) {
        if (dtype == BR_F16 && !br_test_has_f16(devices->full))
            break;
        for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
            options o = {.dtype = dtype, .silu = i % 2 == 0, .in_place = i % 3 == 0};
            check_group_norm(devices->full, shapes[i], o);
            check_group_norm(&devices->gpu, shapes[i], o);
        }
    }
}

/* Mean 1000: neighbouring floats are 6.1e-5 apart there, and a mean, rounded where parts are merged, ends about that far off. Against a deviation of
 * 1 / √3 (uniform values) that is 1.06e-4 of the normalised x; beta makes up half of ‖y‖², so y is off by 7.5e-5. E[x²] - E[x]² would be off by 0.1. */
static void large_mean(void **state)
{
    br_test_devices *devices = *state;
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        options o = {.mean = 1000, .deviation = 1, .tolerance = 1e-4};
        check_group_norm(devices->full, shapes[i], o);
        check_group_norm(&devices->gpu, shapes[i], o);
    }
}

/* A variance of 3e-7, below eps, and one of 0: y is act(beta). */
static void small_variance(void **state)
{
    br_test_devices *devices = *state;
    for (size_t i = 0; i < 6; i++) {
        check_group_norm(&devices->gpu, shapes[i], (options){.deviation = 1e-3f, .silu = i % 2 == 0});
        check_group_norm(devices->full, shapes[i], (options){.mean = 3, .deviation = 1e-30f, .silu = i % 2 == 0});
    }
}

/* Most of these pictures do not fit a binding and have to be cut between chunks, each of which is 16 KiB or a little more. */
static void low_limits(void **state)
{
    br_test_devices *devices = *state;
    br_test_device *device =
        br_test_device_open(&(br_vk_device_params){.max_storage_range = 20480, .max_invocations = 128, .max_groups = 7});
    check_group_norm(device, (shape_case){3, 7, 5, 40, 4}, (options){.silu = true});
    check_group_norm(device, (shape_case){2, 67, 61, 4, 2}, (options){.silu = true, .in_place = true});
    check_group_norm(device, (shape_case){1, 71, 59, 3, 3}, (options){.silu = false});
    check_group_norm(device, (shape_case){2, 43, 10, 32, 32}, (options){.silu = false});
    check_group_norm(device, (shape_case){1, 2, 1, 1040, 1}, (options){.silu = false});
    if (br_test_has_f16(device)) {
        check_group_norm(device, (shape_case){2, 67, 61, 4, 2}, (options){.dtype = BR_F16, .silu = true});
        check_group_norm(device, (shape_case){1, 101, 97, 3, 1}, (options){.dtype = BR_F16});
    }
    br_test_device_close(device);
    check_group_norm(devices->limited, (shape_case){5, 3, 5, 26, 13}, (options){.silu = true});
}

/* Channels from two values: a group that is of both, vectors and none, wide and narrow groups, a picture that no binding holds. */
static void two_inputs(void **state)
{
    br_test_devices *devices = *state;
    static const struct {
        shape_case shape;
        int64_t beside;
    } cases[] = {{{2, 13, 7, 40, 8}, 16}, {{2, 9, 11, 20, 2}, 4},    {{1, 5, 3, 26, 13}, 11}, {{2, 31, 17, 60, 6}, 53},
                 {{2, 8, 8, 96, 32}, 32}, {{2, 3, 5, 960, 32}, 320}, {{1, 3, 3, 2056, 1}, 8}, {{2, 2, 3, 523, 1}, 261}};
    for (br_dtype dtype = BR_F32; dtype <= BR_F16; dtype++) {
        if (dtype == BR_F16 && !br_test_has_f16(devices->full))
            break;
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            options o = {.dtype = dtype, .silu = i % 2 == 0, .beside = cases[i].beside};
            check_group_norm(devices->full, cases[i].shape, o);
            check_group_norm(&devices->gpu, cases[i].shape, o);
        }
    }
    br_test_device *device =
        br_test_device_open(&(br_vk_device_params){.max_storage_range = 20480, .max_invocations = 128, .max_groups = 7});
    check_group_norm(device, (shape_case){2, 43, 41, 12, 3}, (options){.silu = true, .beside = 8});
    check_group_norm(device, (shape_case){2, 47, 37, 5, 1}, (options){.silu = true, .beside = 3});
    check_group_norm(device, (shape_case){5, 7, 5, 40, 4}, (options){.beside = 24});
    br_test_device_close(device);
}

static void refuses(void **state)
{
    (void)state;
    br_test_case test;
    br_test_case_init(&test);
    br_value x = br_test_case_input(&test, "x", BR_F32, br_shape_of(1, 4, 4, 30));
    br_value gamma = br_test_case_input(&test, "gamma", BR_F32, br_shape_of(32));
    br_group_norm_params params = {.x = x, .beside = BR_NONE, .gamma = gamma, .beta = gamma, .groups = 8, .eps = 1e-5f};
    assert_int_equal(br_op_group_norm(&test.graph, "norm", &params), BR_NONE);
    br_test_case_refused(&test, "norm: 8 groups do not divide the channels of [1, 4, 4, 30]");
    params.groups = 5;
    assert_int_equal(br_op_group_norm(&test.graph, "norm", &params), BR_NONE);
    br_test_case_refused(&test, "norm: gamma is f32 [32], expected f32 [30]");
    params.beside = br_test_case_input(&test, "beside", BR_F32, br_shape_of(1, 4, 5, 2));
    assert_int_equal(br_op_group_norm(&test.graph, "norm", &params), BR_NONE);
    br_test_case_refused(&test, "norm: beside is f32 [1, 4, 5, 2], expected f32 [1, 4, 4, C]");
    br_test_case_finish(&test);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes_and_types), cmocka_unit_test(large_mean), cmocka_unit_test(small_variance),
        cmocka_unit_test(low_limits),       cmocka_unit_test(two_inputs), cmocka_unit_test(refuses),
    };
    return cmocka_run_group_tests(tests, br_test_devices_setup, br_test_devices_teardown);
}
