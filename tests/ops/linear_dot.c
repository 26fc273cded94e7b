/* linear by integer dot products, on every device that has them, fast or not.
 *
 * Tolerances. x is rounded to whole multiples of a 127th of the largest of its 32 numbers, an error of step / √12 in root mean square. Of numbers uniform in
 * [-1, 1) that is (1/127/√12) / (1/√3) = 3.9e-3 of x, and the sum over random weights keeps that ratio: PACKING with an eighth of it for chance, and not less
 * than half of it, which tells that x was packed at all. Against the double reference on the packed numbers only the order of f32 additions remains: 1e-5, as in linear.c. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/abi.h"
#include "exec/program.h"
#include "ops/gemm.h"
#include "ref/linear.h"
#include "support/case.h"
#include "support/matrix.h"
#include "vk/vendor.h"

#define PACKING (0.5 / 127)
#define CHANCE (9.0 / 8)

static const br_dtype types[] = {BR_Q8_0, BR_Q4_0, BR_Q4_1, BR_Q5_0, BR_Q5_1, BR_Q4_K, BR_Q5_K};
#define TYPE_COUNT (sizeof types / sizeof types[0])

typedef struct dot_case {
    br_dtype dtype, x_dtype;
    int64_t m, n, k;
    br_gemm_residual residual;
    bool exact; /* against the packed x */
    bool geglu;
    int64_t k_more; /* columns of the matrix on both sides of those that are used */
} dot_case;

static void round_f16(const dot_case *c, float *values, size_t count)
{
    if (c->x_dtype == BR_F16)
        br_test_round_f16(values, count);
}

/* Numbers far enough from where rounding changes its mind that every device packs them alike: (q + δ) · scale with |δ| <= 0.4, the largest of a block
 * 127 · scale. Returns q · scale. */
static float *pack_safely(const dot_case *c, float *x, size_t count)
{
    float *packed = test_malloc(count * sizeof *packed);
    for (size_t b = 0; b < count / 32; b++) {
        float peak = (0.25f + fabsf(x[32 * b])) * (b % 7 == 3 ? 0x1p-12f : 1); /* a block of all zeros too */
        peak = b % 11 == 5 ? 0 : peak;
        round_f16(c, &peak, 1);
        for (size_t i = 0; i < 32; i++) {
            float *v = &x[32 * b + i], q = roundf(*v * 126), shift = sinf((float)(32 * b + i)) * 0.4f;
            if (i == b % 32) {
                q = *v < 0 ? -127 : 127;
                shift = 0;
            }
            *v = (q + shift) * (peak / 127);
            packed[32 * b + i] = q * (peak / 127);
        }
    }
    round_f16(c, x, count);
    return packed;
}

static bool is_dot(br_shader_id shader)
{
    return shader == BR_SHADER_LINEAR_DOT_F32_QUANT || shader == BR_SHADER_LINEAR_DOT_F16_QUANT;
}

typedef struct dot_data {
    br_test_matrix w;
    float *x, *packed, *bias, *residual;
} dot_data;

static dot_data make_data(const dot_case *c)
{
    size_t m = (size_t)c->m, n = (size_t)c->n, k = (size_t)c->k;
    dot_data it = {.w = br_test_matrix_make(c->dtype, c->geglu ? 2 * c->n : c->n, c->k + 2 * c->k_more),
                   .x = test_malloc(m * k * sizeof(float)),
                   .bias = test_malloc(2 * n * sizeof(float)),
                   .residual = test_malloc(m * n * sizeof(float))};
    br_test_random(it.x, m * k, 1);
    br_test_random(it.bias, 2 * n, 2);
    br_test_random(it.residual, m * n, 3);
    if (c->exact)
        it.packed = pack_safely(c, it.x, m * k);
    round_f16(c, it.x, m * k);
    if (c->residual == BR_GEMM_RESIDUAL_FULL)
        round_f16(c, it.residual, m * n);
    return it;
}

static void free_data(dot_data *it)
{
    test_free(it->x);
    if (it->packed)
        test_free(it->packed);
    test_free(it->bias);
    test_free(it->residual);
    br_test_matrix_free(&it->w);
}

static void check(br_test_device *device, const dot_case *c)
{
    if (c->x_dtype == BR_F16 && !br_test_has_f16(device))
        return;
    size_t m = (size_t)c->m, n = (size_t)c->n, k = (size_t)c->k;
    int64_t w_rows = c->geglu ? 2 * c->n : c->n, w_columns = c->k + 2 * c->k_more;
    dot_data data = make_data(c);
    float *y = test_malloc(m * n * sizeof *y);
    double *expected = test_malloc(m * n * sizeof *expected);
    br_graph graph;
    br_graph_init(&graph);
    br_linear_params params = {
        .x = br_graph_input(&graph, "x", c->x_dtype, br_shape_of(1, c->m, c->k)),
        .weight = br_graph_weight(&graph, "weight", c->dtype, br_shape_of(w_rows, w_columns), BR_WEIGHT_PLAIN),
        .bias = br_graph_weight(&graph, "bias", BR_F32, br_shape_of(w_rows), BR_WEIGHT_PLAIN),
        .residual = BR_NONE,
        .geglu = c->geglu,
        .weight_columns = w_columns,
        .weight_column = c->k_more,
    };
    bool full = c->residual == BR_GEMM_RESIDUAL_FULL, row = c->residual == BR_GEMM_RESIDUAL_ROW;
    if (full)
        params.residual = br_graph_input(&graph, "residual", c->x_dtype, br_shape_of(1, c->m, c->n));
    if (row)
        params.residual = br_graph_weight(&graph, "residual", BR_F32, br_shape_of(c->n), BR_WEIGHT_PLAIN);
    br_value out = br_op_linear(&graph, "linear", &params);
    br_graph_output(&graph, out, "y");
    br_test_tensor inputs[] = {{params.x, data.x, NULL},
                               {params.weight, NULL, data.w.words},
                               {params.bias, data.bias, NULL},
                               {params.residual, data.residual, NULL}};
    br_test_tensor output = {out, y, NULL};
    assert_status_ok(br_test_run(&(br_test_run_params){device, &graph, inputs, full || row ? 4 : 3, &output, 1, 0}));
    br_ref_linear(&(br_ref_linear_params){.m = m,
                                          .n = n,
                                          .k = k,
                                          .x = c->exact ? data.packed : data.x,
                                          .weight = data.w.values + c->k_more,
                                          .w_stride = (size_t)w_columns,
                                          .geglu = c->geglu,
                                          .bias = data.bias,
                                          .residual = full ? data.residual : NULL,
                                          .residual_row = row ? data.residual : NULL},
                  expected);
    double error = br_test_relative_error(y, expected, m * n);
    print_message("%s %s [%zu, %zu] x [%zu, %zu]: %.2e\n", br_dtype_name(c->dtype), br_dtype_name(c->x_dtype), m, k, n, k, error);
    if (c->exact)
        assert_true(error <= br_test_tolerance(c->x_dtype));
    else
        assert_true(error <= PACKING * CHANCE && error >= PACKING / 2);
    br_graph_finish(&graph);
    test_free(y);
    test_free(expected);
    free_data(&data);
}

/* The device of the tests with integer dot products taken for fast, and its capabilities. */
typedef struct dot_devices {
    br_test_device full, limited, discrete;
    br_vk_caps full_caps, limited_caps, discrete_caps;
} dot_devices;

static dot_devices make_devices(const br_test_devices *devices)
{
    if (!devices->full->caps->integer_dot) {
        print_message("skipped: %s has no integer dot products\n", devices->full->caps->name);
        exit(BR_TEST_SKIP);
    }
    dot_devices it = {.full = *devices->full, .limited = *devices->limited, .discrete = devices->gpu};
    it.full_caps = *it.full.caps;
    it.limited_caps = *it.limited.caps;
    it.discrete_caps = *it.discrete.caps;
    it.full_caps.integer_dot_fast = it.limited_caps.integer_dot_fast = it.discrete_caps.integer_dot_fast = true;
    return it;
}

/* The struct must not move once its devices point into it. */
static void point(dot_devices *it)
{
    it->full.caps = &it->full_caps;
    it->limited.caps = &it->limited_caps;
    it->discrete.caps = &it->discrete_caps;
}

static void test_types(void **state)
{
    dot_devices devices = make_devices(*state);
    point(&devices);
    for (size_t i = 0; i < TYPE_COUNT; i++) {
        int64_t k = 3 * br_dtype_block(types[i]);
        check(&devices.full, &(dot_case){.dtype = types[i], .m = 37, .n = 89, .k = k, .exact = true});
        check(&devices.full, &(dot_case){.dtype = types[i], .m = 37, .n = 89, .k = k});
    }
}

static void test_sizes(void **state)
{
    dot_devices devices = make_devices(*state);
    point(&devices);
    const dot_case cases[] = {
        {.m = 9, .n = 1, .k = 32, .exact = true},
        {.m = 13, .n = 113, .k = 1056, .residual = BR_GEMM_RESIDUAL_ROW, .exact = true},
        {.m = 113, .n = 67, .k = 64, .residual = BR_GEMM_RESIDUAL_FULL, .exact = true},
        {.m = 257, .n = 160, .k = 2080},
        {.m = 389, .n = 3, .k = 160, .exact = true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        dot_case c = cases[i];
        for (int t = 0; t < 2; t++) {
            c.dtype = types[t];
            check(&devices.full, &c);
        }
    }
}

static void test_f16(void **state)
{
    dot_devices devices = make_devices(*state);
    point(&devices);
    for (int t = 0; t < 2; t++) {
        check(&devices.full, &(dot_case){types[t], BR_F16, 53, 71, 224, BR_GEMM_RESIDUAL_FULL, true});
        check(&devices.full, &(dot_case){types[t], BR_F16, 53, 71, 224, BR_GEMM_RESIDUAL_ROW, true});
    }
}

static void test_geglu(void **state)
{
    dot_devices devices = make_devices(*state);
    point(&devices);
    check(&devices.full, &(dot_case){.dtype = BR_Q8_0, .m = 37, .n = 41, .k = 96, .exact = true, .geglu = true});
    check(&devices.full, &(dot_case){.dtype = BR_Q5_1, .m = 37, .n = 41, .k = 96, .exact = true, .geglu = true, .k_more = 32});
    check(&devices.limited, &(dot_case){.dtype = BR_Q4_0, .m = 41, .n = 53, .k = 64, .exact = true, .geglu = true, .k_more = 32});
}

/* A part of the matrix's columns; of Q4_0 it begins with the second half of a word of scales. */
static void test_weight_columns(void **state)
{
    dot_devices devices = make_devices(*state);
    point(&devices);
    check(&devices.full, &(dot_case){.dtype = BR_Q4_0, .m = 43, .n = 37, .k = 64, .exact = true, .k_more = 32});
    check(&devices.full, &(dot_case){.dtype = BR_Q5_K, .m = 43, .n = 37, .k = 320, .exact = true, .k_more = 96});
}

/* Tiles of all sizes. */
static void test_gpu_tiles(void **state)
{
    dot_devices devices = make_devices(*state);
    point(&devices);
    check(&devices.discrete, &(dot_case){.dtype = BR_Q8_0, .m = 1031, .n = 1009, .k = 96, .exact = true}); /* large */
    check(&devices.discrete, &(dot_case){.dtype = BR_Q5_1, .m = 509, .n = 449, .k = 32, .exact = true});   /* medium */
    devices.discrete_caps.vendor_id = BR_VENDOR_ARM;
    check(&devices.discrete, &(dot_case){.dtype = BR_Q4_0, .m = 389, .n = 449, .k = 160, .exact = true});
}

/* Bindings of 4 KiB cut x, its packed form and the matrix into slices, some of which have few rows. */
static void test_lowered_limits(void **state)
{
    dot_devices devices = make_devices(*state);
    point(&devices);
    check(&devices.limited, &(dot_case){.dtype = BR_Q8_0, .m = 131, .n = 53, .k = 96, .exact = true});
    check(&devices.limited, &(dot_case){.dtype = BR_Q4_0, .m = 131, .n = 53, .k = 32, .exact = true});
}

/* How many dispatches pack x, and how many multiply what they packed. */
static void count_forms(br_graph *graph, const br_vk_caps *caps, int *out_packs, int *out_dots)
{
    br_program *program;
    assert_status_ok(br_program_create(graph, "made", caps, &program));
    *out_packs = *out_dots = 0;
    for (int i = 0; i < program->dispatch_count; i++) {
        *out_packs += program->dispatches[i].shader == BR_SHADER_LINEAR_PACK_F32;
        *out_dots += is_dot(program->dispatches[i].shader);
    }
    br_program_destroy(program);
}

/* Three products of one x and one of a view of it; one whose x has too few rows, one of plain numbers, one with scales for 16. */
static void build_chain(br_graph *graph)
{
    br_graph_init(graph);
    br_value x = br_graph_input(graph, "x", BR_F32, br_shape_of(4, 5, 256));
    br_value few = br_graph_input(graph, "few", BR_F32, br_shape_of(8, 256));
    br_value text = br_graph_view(graph, x, br_shape_of(20, 256));
    const struct {
        const char *name;
        br_value x;
        br_dtype dtype;
    } products[] = {{"q", x, BR_Q8_0},     {"k", x, BR_Q4_0},    {"v", x, BR_Q4_K},      {"text", text, BR_Q5_1},
                    {"few", few, BR_Q8_0}, {"plain", x, BR_F32}, {"sixteen", x, BR_Q6_K}};
    for (size_t i = 0; i < sizeof products / sizeof products[0]; i++) {
        br_value w = br_graph_weight(graph, products[i].name, products[i].dtype, br_shape_of(256, 256), BR_WEIGHT_PLAIN);
        br_value y = br_op_linear(graph, products[i].name,
                                  &(br_linear_params){.x = products[i].x, .weight = w, .bias = BR_NONE, .residual = BR_NONE});
        /* What depends on q has another x. */
        if (i == 0) {
            w = br_graph_weight(graph, "again", BR_Q8_0, br_shape_of(256, 256), BR_WEIGHT_PLAIN);
            y = br_op_linear(graph, "again", &(br_linear_params){.x = y, .weight = w, .bias = BR_NONE, .residual = BR_NONE});
        }
        br_graph_output(graph, y, products[i].name);
    }
}

static void test_x_is_packed_once(void **state)
{
    dot_devices devices = make_devices(*state);
    point(&devices);
    br_graph graph;
    int packs, dots;
    build_chain(&graph);
    count_forms(&graph, &devices.full_caps, &packs, &dots);
    assert_int_equal(packs, 2);
    assert_int_equal(dots, 5);
    devices.full_caps.max_storage_buffers = 5;
    build_chain(&graph);
    count_forms(&graph, &devices.full_caps, &packs, &dots);
    assert_int_equal(packs + dots, 0);
    devices.full_caps.max_storage_buffers = 6;
    devices.full_caps.integer_dot_fast = false;
    build_chain(&graph);
    count_forms(&graph, &devices.full_caps, &packs, &dots);
    assert_int_equal(packs + dots, 0);
}

/* q, k and v of one x, the second with the rows that the first left packed. */
static void test_shared_x(void **state)
{
    dot_devices devices = make_devices(*state);
    point(&devices);
    const int64_t m = 43, k = 96, n[] = {37, 61};
    const br_dtype dtypes[] = {BR_Q8_0, BR_Q4_0};
    dot_case c = {.dtype = BR_Q8_0, .m = m, .n = n[0], .k = k, .exact = true};
    dot_data data = make_data(&c);
    br_test_matrix w[2];
    br_graph graph;
    br_graph_init(&graph);
    br_value x = br_graph_input(&graph, "x", BR_F32, br_shape_of(m, k));
    br_test_tensor inputs[3] = {{x, data.x, NULL}}, outputs[2];
    for (int i = 0; i < 2; i++) {
        w[i] = br_test_matrix_make(dtypes[i], n[i], k);
        br_value weight = br_graph_weight(&graph, i ? "k" : "q", dtypes[i], br_shape_of(n[i], k), BR_WEIGHT_PLAIN);
        br_value y =
            br_op_linear(&graph, "product", &(br_linear_params){.x = x, .weight = weight, .bias = BR_NONE, .residual = BR_NONE});
        br_graph_output(&graph, y, i ? "yk" : "yq");
        inputs[1 + i] = (br_test_tensor){weight, NULL, w[i].words};
        outputs[i] = (br_test_tensor){y, test_malloc((size_t)(m * n[i]) * sizeof(float)), NULL};
    }
    assert_status_ok(br_test_run(&(br_test_run_params){&devices.full, &graph, inputs, 3, outputs, 2, 0}));
    for (int i = 0; i < 2; i++) {
        size_t count = (size_t)(m * n[i]);
        double *expected = test_malloc(count * sizeof *expected);
        br_ref_linear(
            &(br_ref_linear_params){.m = (size_t)m, .n = (size_t)n[i], .k = (size_t)k, .x = data.packed, .weight = w[i].values},
            expected);
        assert_true(br_test_relative_error(outputs[i].data, expected, count) <= BR_TEST_F32_TOLERANCE);
        test_free(expected);
        test_free(outputs[i].data);
        br_test_matrix_free(&w[i]);
    }
    br_graph_finish(&graph);
    free_data(&data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_f16),
        cmocka_unit_test(test_geglu),
        cmocka_unit_test(test_weight_columns),
        cmocka_unit_test(test_gpu_tiles),
        cmocka_unit_test(test_lowered_limits),
        cmocka_unit_test(test_x_is_packed_once),
        cmocka_unit_test(test_shared_x),
    };
    return cmocka_run_group_tests_name("ops/linear_dot", tests, br_test_devices_setup, br_test_devices_teardown);
}
