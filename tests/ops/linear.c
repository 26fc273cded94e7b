/* linear against the double reference: tiles and few rows, every epilogue, odd sizes, storage types, lowered limits.
 *
 * Tolerances. f32: sums of K <= 1031 products in f32 err by at most about K·2^-24 relative to Σ|x·w|, in practice by √K·2^-24 of the result's norm: 2e-6;
 * the bound of 1e-5 holds that with room. f16: the inputs are rounded beforehand, so only the rounding of y remains, at most 2^-11 of each element; of
 * GEGLU in two passes that of the gate too. */
#include <math.h>
#include <stdlib.h>

#include "base/f16.h"
#include "ops/gemm.h"
#include "ref/linear.h"
#include "support/op.h"
#include "vk/vendor.h"

#define TOLERANCE_F32 1e-5
#define TOLERANCE_F16 (0x1p-11 + 1e-5)

typedef struct linear_case {
    int64_t m, n, k;
    br_dtype x_dtype, w_dtype;
    bool bias, residual, residual_row;
    br_activation activation;
    float x_scale; /* 0 means 1 */
    bool geglu;
    int64_t weight_columns, weight_column;
    int64_t weight_row; /* with three more rows behind those that are used */
    bool two_passes;    /* GEGLU whose matrix fits no binding */
} linear_case;

static float *random_values(size_t count, uint32_t seed, br_dtype dtype, float scale)
{
    float *values = malloc(count * sizeof *values);
    assert_non_null(values);
    br_test_random(values, count, seed);
    for (size_t i = 0; i < count; i++)
        values[i] *= scale;
    if (dtype == BR_F16)
        br_test_round_f16(values, count);
    return values;
}

static void check(br_test_device *device, const linear_case *c)
{
    if ((c->x_dtype == BR_F16 || c->w_dtype == BR_F16) && !device->caps->f16_storage) {
        print_message("f16 storage: skipped, the device has none\n");
        return;
    }
    size_t m = (size_t)c->m, n = (size_t)c->n, k = (size_t)c->k, w_rows = c->geglu ? 2 * n : n;
    size_t w_row = (size_t)c->weight_row;
    w_rows += w_row ? w_row + 3 : 0;
    size_t w_columns = c->weight_columns ? (size_t)c->weight_columns : k;
    float *x = random_values(m * k, 1, c->x_dtype, c->x_scale ? c->x_scale : 1);
    float *weight = random_values(w_rows * w_columns, 2, c->w_dtype, 1);
    float *bias = random_values(w_rows, 3, BR_F32, 1), *residual_row = random_values(n, 4, BR_F32, 1);
    float *residual = random_values(m * n, 5, c->x_dtype, 1);
    float *y = malloc(m * n * sizeof *y);
    double *expected = malloc(m * n * sizeof *expected);
    assert_true(y && expected);

    br_graph graph;
    br_graph_init(&graph);
    br_linear_params params = {
        .x = br_graph_input(&graph, "x", c->x_dtype, br_shape_of(1, c->m, c->k)),
        .weight = br_graph_weight(&graph, "weight", c->w_dtype, br_shape_of((int64_t)w_rows, (int64_t)w_columns), BR_WEIGHT_PLAIN),
        .bias = c->bias ? br_graph_weight(&graph, "bias", BR_F32, br_shape_of((int64_t)w_rows), BR_WEIGHT_PLAIN) : BR_NONE,
        .residual = BR_NONE,
        .activation = c->activation,
        .geglu = c->geglu,
        .weight_columns = c->weight_columns,
        .weight_column = c->weight_column,
        .rows = c->weight_row ? c->n : 0,
        .weight_row = c->weight_row,
    };
    if (c->residual)
        params.residual = br_graph_input(&graph, "residual", c->x_dtype, br_shape_of(1, c->m, c->n));
    if (c->residual_row)
        params.residual = br_graph_weight(&graph, "residual", BR_F32, br_shape_of(c->n), BR_WEIGHT_PLAIN);
    br_value out = br_op_linear(&graph, "linear", &params);
    br_graph_output(&graph, out, "y");

    br_test_tensor inputs[4] = {{params.x, x}, {params.weight, weight}};
    int input_count = 2;
    if (c->bias)
        inputs[input_count++] = (br_test_tensor){params.bias, bias};
    if (c->residual || c->residual_row)
        inputs[input_count++] = (br_test_tensor){params.residual, c->residual ? residual : residual_row};
    br_test_tensor output = {out, y};
    assert_status_ok(br_test_run(&(br_test_run_params){device, &graph, inputs, input_count, &output, 1, 0}));

    br_ref_linear(&(br_ref_linear_params){m, n, k, x, weight + w_row * w_columns + c->weight_column, c->bias ? bias + w_row : NULL,
                                          c->residual ? residual : NULL, c->residual_row ? residual_row : NULL, c->activation,
                                          c->geglu, w_columns},
                  expected);
    double error = br_test_relative_error(y, expected, m * n);
    print_message("[%lld, %lld] x [%lld, %lld]: %.2e\n", (long long)c->m, (long long)c->k, (long long)c->n, (long long)c->k, error);
    assert_true(error <= (c->x_dtype == BR_F16 ? TOLERANCE_F16 : TOLERANCE_F32) * (c->two_passes ? 2 : 1));
    br_graph_finish(&graph);
    free(x), free(weight), free(bias), free(residual_row), free(residual), free(y), free(expected);
}

static void test_tiles(void **state)
{
    const linear_case cases[] = {
        {.m = 13, .n = 1, .k = 1},
        {.m = 89, .n = 113, .k = 13},
        {.m = 113, .n = 89, .k = 64},
        {.m = 64, .n = 64, .k = 1031},
        {.m = 131, .n = 67, .k = 36, .bias = true},
        {.m = 131, .n = 68, .k = 36, .bias = true, .residual = true},
        {.m = 37, .n = 20, .k = 12, .residual_row = true, .activation = BR_ACTIVATION_SILU},
        {.m = 257, .n = 160, .k = 160, .bias = true, .residual = true},
        /* Whole tiles of CPU devices, some of whose rows are made twice; not beside a residual of y's shape. */
        {.m = 96, .n = 64, .k = 24, .bias = true, .residual = true},
        {.m = 77, .n = 96, .k = 40},
        {.m = 33, .n = 32, .k = 8, .bias = true, .residual_row = true},
        {.m = 45, .n = 64, .k = 16, .residual = true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        check(*state, &cases[i]);
}

/* Each sum is one element of the matrix, and has to become the nearest half, of two the even one: ties, subnormals, what overflows, infinities, NaN. GPUs may round
 * towards zero; CPU devices store by common/quad.glsl where N is a multiple of 4, by the driver's conversion elsewhere. */
static void test_halves(void **state)
{
    br_test_device *device = *state;
    if (!device->caps->f16_storage || device->caps->type != VK_PHYSICAL_DEVICE_TYPE_CPU) {
        print_message("skipped: not a CPU device with f16 storage\n");
        return;
    }
    static const float chosen[] = {0.0f,        -0.0f,         1.0f,          0x1.002p0f,      0x1.006p0f,
                                   -0x1.002p0f, 0x1.002002p0f, 0x1.001ffep0f, 0x1.ffep0f,      0x1.fff002p-15f,
                                   0x1p-14f,    0x1p-24f,      0x1p-25f,      0x1.000002p-25f, 0x1.8p-24f,
                                   -0x1.4p-23f, 0x1p-30f,      65504.0f,      65519.996f,      65520.0f,
                                   -65536.0f,   1e10f,         INFINITY,      -INFINITY,       NAN};
    enum { M = 37, K = 4, N_MAX = 515 };
    static float x[M * K], weight[N_MAX * K], y[M * N_MAX];
    for (int i = 0; i < M; i++)
        x[i * K] = 1.0f;
    for (int64_t n = N_MAX - 3; n <= N_MAX; n += 3) {
        br_test_random(weight, (size_t)(n * K), 7);
        for (int64_t i = 0; i < n; i++) {
            bool is_chosen = i < (int64_t)(sizeof chosen / sizeof chosen[0]);
            weight[i * K] = is_chosen ? chosen[i] : ldexpf(weight[i * K], (int)(i % 48) - 30);
            weight[i * K + 1] = weight[i * K + 2] = weight[i * K + 3] = 0.0f;
        }
        br_graph graph;
        br_graph_init(&graph);
        br_linear_params params = {
            .x = br_graph_input(&graph, "x", BR_F16, br_shape_of(1, M, K)),
            .weight = br_graph_weight(&graph, "weight", BR_F32, br_shape_of(n, K), BR_WEIGHT_PLAIN),
            .bias = BR_NONE,
            .residual = BR_NONE,
        };
        br_value out = br_op_linear(&graph, "linear", &params);
        br_graph_output(&graph, out, "y");
        br_test_tensor inputs[] = {{params.x, x}, {params.weight, weight}}, output = {out, y};
        assert_status_ok(br_test_run(&(br_test_run_params){device, &graph, inputs, 2, &output, 1, 0}));
        for (int64_t i = 0; i < M * n; i++) {
            float value = weight[i % n * K], expected = br_f32_from_f16(br_f32_to_f16(value));
            if (y[i] != expected && !(isnan(y[i]) && isnan(expected)))
                fail_msg("%a became %a, expected %a", (double)value, (double)y[i], (double)expected);
        }
        br_graph_finish(&graph);
    }
}

/* Some rows of a matrix that has more: at odd places, at multiples of 4, cut by small ranges. */
static void test_weight_rows(void **state)
{
    check(*state, &(linear_case){.m = 89, .n = 113, .k = 13, .weight_row = 7, .bias = true});
    check(*state, &(linear_case){.m = 131, .n = 68, .k = 36, .weight_row = 12, .bias = true, .residual = true});
    check(*state, &(linear_case){.m = 5, .n = 61, .k = 20, .weight_row = 1});
    check(*state, &(linear_case){.m = 37, .n = 64, .k = 32, .weight_row = 64, .x_dtype = BR_F16, .w_dtype = BR_F16});
    check(*state, &(linear_case){.m = 43, .n = 37, .k = 31, .weight_row = 5, .weight_columns = 40, .weight_column = 3});
}

/* As CPU devices and as GPUs have them. */
static void test_few_rows(void **state)
{
    br_test_device device = *(br_test_device *)*state;
    br_vk_caps caps = *device.caps;
    device.caps = &caps;
    const linear_case cases[] = {
        {.m = 1, .n = 1, .k = 1},
        {.m = 1, .n = 113, .k = 89, .bias = true},
        {.m = 1, .n = 256, .k = 64, .bias = true, .activation = BR_ACTIVATION_SILU},
        {.m = 2, .n = 131, .k = 1028, .residual_row = true},
        {.m = 7, .n = 13, .k = 260, .residual = true},
        {.m = 8, .n = 5, .k = 31, .bias = true, .residual_row = true, .activation = BR_ACTIVATION_QUICK_GELU},
        {.m = 3, .n = 53, .k = 76, .geglu = true, .bias = true},
    };
    for (int gpu = 0; gpu < 2; gpu++) {
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
            check(&device, &cases[i]);
        caps.type = VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU;
    }
}

/* Small inputs tell erf-GELU from its tanh form (they differ by 2e-4 there); large ones would overflow a careless exp. Every activation is applied to the
 * same sum, so one of them meets the kinds of residual in this form of the kernel; the others meet them in test_tiles and test_few_rows. */
static void test_activations(void **state)
{
    for (int activation = BR_ACTIVATION_NONE; activation <= BR_ACTIVATION_TANH; activation++) {
        check(*state, &(linear_case){.m = 37, .n = 43, .k = 8, .activation = (br_activation)activation});
        check(*state, &(linear_case){.m = 37, .n = 43, .k = 8, .activation = (br_activation)activation, .x_scale = 1e5f});
    }
    check(*state, &(linear_case){.m = 37, .n = 43, .k = 5, .bias = true, .activation = BR_ACTIVATION_GELU});
    check(*state, &(linear_case){.m = 37, .n = 43, .k = 4, .residual = true, .activation = BR_ACTIVATION_GELU});
    check(*state, &(linear_case){.m = 17, .n = 23, .k = 8, .bias = true, .residual_row = true, .activation = BR_ACTIVATION_GELU});
}

static void test_storage(void **state)
{
    for (int x = BR_F32; x <= BR_F16; x++)
        for (int w = BR_F32; w <= BR_F16; w++) {
            linear_case c = {.x_dtype = (br_dtype)x, .w_dtype = (br_dtype)w, .bias = true, .residual = true};
            c.m = 53, c.n = 71, c.k = 113;
            check(*state, &c);
            c.k = 100;
            check(*state, &c);
            c.k = 96;
            check(*state, &c);
            c.m = 3;
            check(*state, &c);
            c.residual = false, c.residual_row = true, c.k = 37;
            check(*state, &c);
        }
}

/* A range of 4 KiB forces slices of rows and of columns whose starts are not where a binding may start. */
static void test_lowered_limits(void **state)
{
    (void)state;
    br_test_device *device = br_test_device_open(
        &(br_vk_device_params){.max_storage_range = 4096, .max_groups = 7, .max_invocations = 128, .max_shared = 16384});
    check(device, &(linear_case){.m = 113, .n = 89, .k = 61, .bias = true, .residual = true});
    check(device, &(linear_case){.m = 113, .n = 89, .k = 60, .bias = true, .residual_row = true});
    check(device, &(linear_case){.m = 5, .n = 113, .k = 97, .bias = true, .residual = true});
    check(device,
          &(linear_case){.m = 131, .n = 113, .k = 97, .bias = true, .residual = true, .x_dtype = BR_F16, .w_dtype = BR_F16});
    br_test_device_close(device);
}

/* The tiles that GPUs get, on whatever device this is. */
static void test_gpu_tiles(void **state)
{
    br_test_device device = *(br_test_device *)*state;
    br_vk_caps caps = *device.caps;
    device.caps = &caps;
    caps.type = VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU;
    check(&device, &(linear_case){.m = 1031, .n = 1009, .k = 20, .bias = true}); /* large */
    check(&device, &(linear_case){.m = 1031, .n = 1009, .k = 13, .residual = true});
    caps.type = VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU;
    check(&device, &(linear_case){.m = 509, .n = 449, .k = 36, .bias = true}); /* medium */
    check(&device, &(linear_case){.m = 509, .n = 449, .k = 7});
    check(&device, &(linear_case){.m = 89, .n = 113, .k = 92, .residual_row = true}); /* small */
    check(&device, &(linear_case){.m = 389, .n = 3, .k = 92, .bias = true});          /* narrow */
    check(&device, &(linear_case){.m = 89, .n = 8, .k = 31, .residual = true});
    check(&device, &(linear_case){.m = 89, .n = 113, .k = 91, .x_dtype = BR_F16, .w_dtype = BR_F16});
    caps.vendor_id = BR_VENDOR_AMD; /* numbers of 16 bits stay packed */
    for (int w = BR_F32; w <= BR_F16; w++) {
        check(&device, &(linear_case){.m = 89, .n = 116, .k = 92, .bias = true, .x_dtype = BR_F16, .w_dtype = (br_dtype)w});
        check(&device, &(linear_case){.m = 89, .n = 113, .k = 91, .residual = true, .x_dtype = (br_dtype)w, .w_dtype = BR_F16});
    }
    caps.vendor_id = BR_VENDOR_IMAGINATION;
    check(&device, &(linear_case){.m = 389, .n = 233, .k = 36, .bias = true}); /* square */
    check(&device, &(linear_case){.m = 389, .n = 233, .k = 11, .residual = true});
    check(&device, &(linear_case){.m = 389, .n = 3, .k = 92, .bias = true}); /* slim */
    caps.vendor_id = BR_VENDOR_ARM;
    caps.max_invocations = 256;
    check(&device, &(linear_case){.m = 389, .n = 101, .k = 36, .bias = true}); /* flat */
}

/* The form for Mali, on whatever device this is: workgroups of 80, 64 and 32 invocations, depths that are whole steps and that are not, and parts of them. */
static void test_broadcast(void **state)
{
    br_vk_caps caps;
    br_test_device device = br_test_device_as_mali(*state, &caps);
    const linear_case cases[] = {
        {.m = 89, .n = 113, .k = 13, .bias = true},
        {.m = 131, .n = 161, .k = 36, .bias = true, .residual = true},
        {.m = 37, .n = 64, .k = 40, .residual_row = true, .activation = BR_ACTIVATION_SILU},
        {.m = 53, .n = 53, .k = 96, .bias = true, .geglu = true, .x_dtype = BR_F16, .w_dtype = BR_F16},
        {.m = 29, .n = 67, .k = 36, .geglu = true},
        {.m = 33, .n = 36, .k = 1088, .bias = true, .x_dtype = BR_F16, .w_dtype = BR_F16}, /* in two parts */
        {.m = 17, .n = 43, .k = 1031, .residual = true},                                   /* likewise */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t columns = (uint64_t)(cases[i].geglu ? 2 * cases[i].n : cases[i].n);
        br_gemm_tile tile = br_gemm_tile_choose(&caps, (uint64_t)cases[i].m, columns, (uint64_t)cases[i].k);
        assert_int_equal(tile.form, BR_GEMM_BROADCAST);
        assert_int_equal(tile.parts, cases[i].k > 1024 ? 2 : 1);
        check(&device, &cases[i]);
    }
    for (int x = BR_F32; x <= BR_F16; x++)
        for (int w = BR_F32; w <= BR_F16; w++) {
            linear_case c = {.m = 43, .n = 307, .k = 48, .x_dtype = (br_dtype)x, .w_dtype = (br_dtype)w, .bias = true};
            c.residual = x == w;
            check(&device, &c);
            c.k = 44;
            check(&device, &c);
        }
    assert_int_equal(br_gemm_tile_n(br_gemm_tile_choose(&caps, 64, 640, 0)), 160);
    assert_int_equal(br_gemm_tile_n(br_gemm_tile_choose(&caps, 64, 512, 0)), 128);
    assert_int_equal(br_gemm_tile_n(br_gemm_tile_choose(&caps, 64, 192, 0)), 64);
}

/* Depths that are divided among workgroups, evenly and not, and every epilogue behind that. */
static void test_parts(void **state)
{
    br_test_device device = *(br_test_device *)*state;
    br_vk_caps caps = *device.caps;
    device.caps = &caps;
    caps.type = VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU;
    const linear_case cases[] = {
        {.m = 37, .n = 43, .k = 1031, .bias = true, .residual_row = true},
        {.m = 37, .n = 44, .k = 2052, .bias = true, .residual = true, .activation = BR_ACTIVATION_SILU},
        {.m = 67, .n = 71, .k = 4211, .residual = true},
        {.m = 33, .n = 36, .k = 2560, .bias = true, .x_dtype = BR_F16, .w_dtype = BR_F16},
        {.m = 41, .n = 44, .k = 1548, .bias = true, .geglu = true},
        {.m = 41, .n = 43, .k = 1063, .geglu = true, .x_dtype = BR_F16, .w_dtype = BR_F16},
    };
    const uint32_t parts[] = {2, 4, 8, 5, 3, 2};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const linear_case *c = &cases[i];
        uint64_t columns = (uint64_t)(c->geglu ? 2 * c->n : c->n);
        assert_int_equal(br_gemm_tile_choose(&caps, (uint64_t)c->m, columns, (uint64_t)c->k).parts, parts[i]);
        check(&device, c);
    }
    assert_int_equal(br_gemm_tile_m(br_gemm_tile_choose(&caps, 128, 1280, 11520)), 64); /* a larger tile, in parts */
    assert_int_equal(br_gemm_tile_choose(&caps, 4096, 1280, 11520).parts, 1);
    caps.max_storage_range = 4 * 128 * 1280 * sizeof(float);
    assert_int_equal(br_gemm_tile_choose(&caps, 128, 1280, 11520).parts, 4);
}

/* Values and gates of one matrix, in every form: tiles of this device and of GPUs, few rows, and matrices that one binding does not hold. */
static void test_geglu(void **state)
{
    br_test_device device = *(br_test_device *)*state;
    br_vk_caps caps = *device.caps;
    device.caps = &caps;
    for (int gpu = 0; gpu < 2; gpu++) {
        check(&device, &(linear_case){.m = 13, .n = 1, .k = 1, .geglu = true});
        check(&device, &(linear_case){.m = 89, .n = 113, .k = 13, .geglu = true, .bias = true});
        check(&device, &(linear_case){.m = 131, .n = 67, .k = 36, .geglu = true, .bias = true});
        check(&device, &(linear_case){.m = 131, .n = 68, .k = 36, .geglu = true, .bias = true});
        check(&device, &(linear_case){.m = 37, .n = 4, .k = 8, .geglu = true, .bias = true});   /* narrow */
        check(&device, &(linear_case){.m = 53, .n = 40, .k = 20, .geglu = true, .bias = true}); /* whole tiles of CPU devices */
        check(&device, &(linear_case){.m = 64, .n = 8, .k = 12, .geglu = true});
        check(&device,
              &(linear_case){.m = 53, .n = 71, .k = 96, .geglu = true, .bias = true, .x_dtype = BR_F16, .w_dtype = BR_F16});
        caps.type = VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU;
    }
    check(&device, &(linear_case){.m = 1031, .n = 509, .k = 12, .geglu = true, .bias = true}); /* large */
    check(&device, &(linear_case){.m = 509, .n = 229, .k = 7, .geglu = true});                 /* medium */
    check(&device, &(linear_case){.m = 1, .n = 113, .k = 89, .geglu = true, .bias = true});
    check(&device, &(linear_case){.m = 7, .n = 67, .k = 260, .geglu = true});
    caps.vendor_id = BR_VENDOR_IMAGINATION;
    check(&device, &(linear_case){.m = 389, .n = 113, .k = 36, .geglu = true, .bias = true}); /* square */
    check(&device, &(linear_case){.m = 389, .n = 3, .k = 92, .geglu = true});                 /* slim */
}

/* As test_lowered_limits. A whole matrix of 2 · 7 · 61 floats fits 4 KiB, one of 2 · 113 · 61 does not. */
static void test_geglu_lowered_limits(void **state)
{
    (void)state;
    br_test_device *device = br_test_device_open(
        &(br_vk_device_params){.max_storage_range = 4096, .max_groups = 7, .max_invocations = 128, .max_shared = 16384});
    check(device, &(linear_case){.m = 113, .n = 7, .k = 61, .geglu = true, .bias = true});
    check(device, &(linear_case){.m = 113, .n = 113, .k = 61, .geglu = true, .bias = true, .two_passes = true});
    check(device, &(linear_case){.m = 5, .n = 113, .k = 60, .geglu = true, .two_passes = true});
    check(device,
          &(linear_case){
              .m = 41, .n = 113, .k = 61, .geglu = true, .bias = true, .x_dtype = BR_F16, .w_dtype = BR_F16, .two_passes = true});
    br_test_device_close(device);
}

/* Columns of a wider matrix, aligned and not. */
static void test_weight_columns(void **state)
{
    br_test_device device = *(br_test_device *)*state;
    br_vk_caps caps = *device.caps;
    device.caps = &caps;
    for (int gpu = 0; gpu < 2; gpu++) {
        const linear_case cases[] = {
            {.m = 89, .n = 113, .k = 36, .weight_columns = 56, .weight_column = 20, .residual = true},
            {.m = 89, .n = 113, .k = 36, .weight_columns = 56, .bias = true},
            {.m = 43, .n = 37, .k = 36, .weight_columns = 55, .weight_column = 16},
            {.m = 43, .n = 37, .k = 36, .weight_columns = 56, .weight_column = 17},
            {.m = 43, .n = 37, .k = 31, .weight_columns = 32, .weight_column = 1, .geglu = true, .bias = true},
            {.m = 3, .n = 37, .k = 64, .weight_columns = 100, .weight_column = 36},
            {.m = 3, .n = 37, .k = 13, .weight_columns = 26, .weight_column = 13, .residual = true},
            {.m = 53, .n = 71, .k = 40, .weight_columns = 120, .weight_column = 80, .x_dtype = BR_F16, .w_dtype = BR_F16},
        };
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
            check(&device, &cases[i]);
        caps.type = VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU;
    }
    br_test_device *limited = br_test_device_open(&(br_vk_device_params){.max_storage_range = 4096});
    check(limited, &(linear_case){.m = 67, .n = 89, .k = 36, .weight_columns = 61, .weight_column = 25, .bias = true});
    br_test_device_close(limited);
}

/* Matrix units, where there are any: each size of tile, one stage and two, every epilogue. f16 all, so that odd sizes are those of rows and halves. */
static void test_matrix(void **state)
{
    br_test_device device = *(br_test_device *)*state;
    br_vk_caps caps = *device.caps;
    device.caps = &caps;
    if (!caps.cooperative_matrix) {
        print_message("cooperative matrices: skipped, the device has none\n");
        return;
    }
    const linear_case cases[] = {
        {.m = 13, .n = 1, .k = 1},
        {.m = 89, .n = 113, .k = 13, .bias = true},
        {.m = 113, .n = 89, .k = 64, .bias = true, .residual = true},
        {.m = 131, .n = 68, .k = 100, .bias = true, .residual_row = true, .activation = BR_ACTIVATION_SILU},
        {.m = 9, .n = 64, .k = 1031},
        {.m = 89, .n = 113, .k = 36, .bias = true, .geglu = true},
        {.m = 43, .n = 36, .k = 31, .geglu = true},
        {.m = 43, .n = 37, .k = 36, .weight_columns = 56, .weight_column = 16, .residual = true},
        {.m = 509, .n = 449, .k = 36, .bias = true}, /* 64 × 64 */
        {.m = 509, .n = 228, .k = 40, .bias = true, .geglu = true},
        {.m = 1031, .n = 2039, .k = 35, .bias = true}, /* 128 × 128 */
        {.m = 1031, .n = 1020, .k = 68, .bias = true, .geglu = true},
        {.m = 67, .n = 68, .k = 2072, .bias = true, .residual = true}, /* in parts */
        {.m = 43, .n = 37, .k = 1031, .bias = true, .geglu = true},
        /* depths of whole steps, eight halves at a load; not where a row begins elsewhere */
        {.m = 89, .n = 113, .k = 96, .bias = true, .geglu = true},
        {.m = 43, .n = 37, .k = 64, .weight_columns = 136, .weight_column = 64, .residual = true},
        {.m = 43, .n = 37, .k = 64, .weight_columns = 132, .weight_column = 4},
        {.m = 67, .n = 68, .k = 2080, .bias = true},
    };
    caps.prefer_matrix = true;
    br_gemm_tile tile;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        linear_case c = cases[i];
        assert_true(br_gemm_tile_choose_matrix(&caps, (uint64_t)c.m, (uint64_t)(c.geglu ? 2 * c.n : c.n), (uint64_t)c.k, &tile));
        c.x_dtype = c.w_dtype = BR_F16;
        check(&device, &c);
        assert_int_equal(tile.parts > 1, c.k > 1024);
        if (i == 0)
            assert_int_equal(tile.stages, 2);
    }
    caps.vendor_id = BR_VENDOR_AMD; /* one stage */
    assert_true(br_gemm_tile_choose_matrix(&caps, 43, 37, 0, &tile));
    assert_int_equal(tile.stages, 1);
    check(&device, &(linear_case){.m = 43, .n = 37, .k = 100, .bias = true, .x_dtype = BR_F16, .w_dtype = BR_F16});
    caps.max_shared = 1024; /* nothing fits */
    assert_false(br_gemm_tile_choose_matrix(&caps, 1031, 2039, 0, &tile));
}

static void test_residual_in_place(void **state)
{
    br_graph graph;
    br_graph_init(&graph);
    float x[13 * 5], w[5 * 5], y[13 * 5];
    double middle[13 * 5], expected[13 * 5];
    br_test_random(x, 13 * 5, 1);
    br_test_random(w, 5 * 5, 2);
    br_value vx = br_graph_input(&graph, "x", BR_F32, br_shape_of(13, 5));
    br_value vw = br_graph_weight(&graph, "w", BR_F32, br_shape_of(5, 5), BR_WEIGHT_PLAIN);
    /* The second layer adds what it multiplies: its output must not take over the storage of its input. */
    br_value first = br_op_linear(&graph, "first", &(br_linear_params){.x = vx, .weight = vw, .bias = BR_NONE, .residual = vx});
    br_value second =
        br_op_linear(&graph, "second", &(br_linear_params){.x = first, .weight = vw, .bias = BR_NONE, .residual = first});
    br_graph_output(&graph, second, "y");
    br_test_tensor inputs[] = {{vx, x}, {vw, w}}, output = {second, y};
    assert_status_ok(br_test_run(&(br_test_run_params){*state, &graph, inputs, 2, &output, 1, 0}));
    float rounded[13 * 5];
    br_ref_linear(&(br_ref_linear_params){13, 5, 5, x, w, NULL, x, NULL, BR_ACTIVATION_NONE}, middle);
    for (int i = 0; i < 13 * 5; i++)
        rounded[i] = (float)middle[i];
    br_ref_linear(&(br_ref_linear_params){13, 5, 5, rounded, w, NULL, rounded, NULL, BR_ACTIVATION_NONE}, expected);
    assert_true(br_test_relative_error(y, expected, 13 * 5) <= TOLERANCE_F32);
    br_graph_finish(&graph);
}

static void expect_error(const br_linear_params *change, const char *text)
{
    br_graph graph;
    br_graph_init(&graph);
    br_graph_input(&graph, "x", BR_F32, br_shape_of(2, 7, 320));                       /* 0 */
    br_graph_weight(&graph, "w", BR_F32, br_shape_of(64, 320), BR_WEIGHT_PLAIN);       /* 1 */
    br_graph_weight(&graph, "narrow", BR_F32, br_shape_of(64, 77), BR_WEIGHT_PLAIN);   /* 2 */
    br_graph_weight(&graph, "bias", BR_F32, br_shape_of(63), BR_WEIGHT_PLAIN);         /* 3 */
    br_graph_input(&graph, "residual", BR_F16, br_shape_of(2, 7, 64));                 /* 4 */
    br_graph_input(&graph, "tokens", BR_I32, br_shape_of(2, 320));                     /* 5 */
    br_graph_weight(&graph, "blocks", BR_Q8_0, br_shape_of(64, 352), BR_WEIGHT_PLAIN); /* 6 */
    assert_int_equal(br_op_linear(&graph, "to_q", change), BR_NONE);
    assert_status(br_graph_verify(&graph), BR_ERROR_ARGUMENT, text);
    br_graph_finish(&graph);
}

/* y takes the storage of the sums that it adds: no row may be made twice, as it may without them. */
static void test_residual_overwritten(void **state)
{
    enum { M = 45, N = 64, K = 24 };
    static float x[M * K], w[N * K], y[M * N], rounded[M * N];
    static double sums[M * N], expected[M * N];
    br_graph graph;
    br_graph_init(&graph);
    br_test_random(x, M * K, 1);
    br_test_random(w, N * K, 2);
    br_value vx = br_graph_input(&graph, "x", BR_F32, br_shape_of(M, K));
    br_value vw = br_graph_weight(&graph, "w", BR_F32, br_shape_of(N, K), BR_WEIGHT_PLAIN);
    br_value first =
        br_op_linear(&graph, "first", &(br_linear_params){.x = vx, .weight = vw, .bias = BR_NONE, .residual = BR_NONE});
    br_value second =
        br_op_linear(&graph, "second", &(br_linear_params){.x = vx, .weight = vw, .bias = BR_NONE, .residual = first});
    br_value third = br_op_linear(&graph, "third", &(br_linear_params){.x = vx, .weight = vw, .bias = BR_NONE, .residual = second});
    br_graph_output(&graph, third, "y");
    br_test_tensor inputs[] = {{vx, x}, {vw, w}}, output = {third, y};
    assert_status_ok(br_test_run(&(br_test_run_params){*state, &graph, inputs, 2, &output, 1, 0}));
    br_ref_linear(&(br_ref_linear_params){M, N, K, x, w, NULL, NULL, NULL, BR_ACTIVATION_NONE}, sums);
    for (int i = 0; i < M * N; i++)
        rounded[i] = (float)(2 * sums[i]);
    br_ref_linear(&(br_ref_linear_params){M, N, K, x, w, NULL, rounded, NULL, BR_ACTIVATION_NONE}, expected);
    assert_true(br_test_relative_error(y, expected, M * N) <= TOLERANCE_F32);
    br_graph_finish(&graph);
}

static void test_errors(void **state)
{
    (void)state;
    expect_error(&(br_linear_params){.x = 0, .weight = 2, .bias = BR_NONE, .residual = BR_NONE},
                 "linear weight is [64, 77], expected [N, 320]");
    expect_error(&(br_linear_params){.x = 0, .weight = 1, .bias = 3, .residual = BR_NONE},
                 "linear bias is f32 [63], expected f32 [64]");
    expect_error(&(br_linear_params){.x = 0, .weight = 1, .bias = BR_NONE, .residual = 4},
                 "linear residual is f16 [2, 7, 64], expected f32 [2, 7, 64]");
    expect_error(&(br_linear_params){.x = 5, .weight = 1, .bias = BR_NONE, .residual = BR_NONE}, "x is i32");
    expect_error(&(br_linear_params){.x = 0, .weight = 1, .bias = BR_NONE, .residual = 4, .geglu = true},
                 "neither a residual nor an activation");
    expect_error(&(br_linear_params){.x = 0, .weight = 1, .bias = 3, .residual = BR_NONE, .geglu = true},
                 "linear bias is f32 [63], expected f32 [64]");
    expect_error(
        &(br_linear_params){.x = 4, .weight = 1, .bias = BR_NONE, .residual = BR_NONE, .weight_columns = 320, .weight_column = 257},
        "linear uses columns 257 to 320 of a weight [64, 320]");
    expect_error(
        &(br_linear_params){.x = 0, .weight = 6, .bias = BR_NONE, .residual = BR_NONE, .weight_columns = 352, .weight_column = 16},
        "columns 16 to 335 of a weight of q8_0, expected multiples of 32");
    expect_error(&(br_linear_params){.x = 0, .weight = 3, .bias = BR_NONE, .residual = BR_NONE, .geglu = true},
                 "linear weight is [63], expected [2N, 320]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tiles),
        cmocka_unit_test(test_halves),
        cmocka_unit_test(test_weight_rows),
        cmocka_unit_test(test_few_rows),
        cmocka_unit_test(test_activations),
        cmocka_unit_test(test_storage),
        cmocka_unit_test(test_lowered_limits),
        cmocka_unit_test(test_residual_in_place),
        cmocka_unit_test(test_residual_overwritten),
        cmocka_unit_test(test_gpu_tiles),
        cmocka_unit_test(test_broadcast),
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_geglu),
        cmocka_unit_test(test_geglu_lowered_limits),
        cmocka_unit_test(test_weight_columns),
        cmocka_unit_test(test_matrix),
    };
    return cmocka_run_group_tests_name("ops/linear", tests, br_test_device_setup, br_test_device_teardown);
}
