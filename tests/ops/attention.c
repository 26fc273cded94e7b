/* attention against the double reference: self, cross, causal, any head width, storage types, lowered limits, hard scores.
 *
 * Tolerances. f32: a score of magnitude s has an error of about s·2^-23, which is a relative error of its weight; scores here reach 30, so 30·2^-23 = 4e-6
 * for the few largest and less for the mean. f16: the inputs are rounded beforehand, so only the rounding of y remains, 2^-11 of each element. Matrix units take
 * weights of 16 bits: each errs by 2^-11 of itself at most, independently of v, so in the mean of squares their sum with v does too; with the rounding of y
 * that is sqrt(2) * 2^-11. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ops/emit.h"
#include "ops/gemm.h"
#include "ops/op.h"
#include "ref/attention.h"
#include "support/op.h"
#include "vk/vendor.h"

#define TOLERANCE_F32 1e-5
#define TOLERANCE_F16 (0x1p-11 + 1e-5)
#define TOLERANCE_MATRIX (1.5 * 0x1p-11)

#define SPEC_PACKED 8 /* constant_id of attention.comp */

typedef struct attention_case {
    int pictures, queries, keys, heads, head_width;
    bool causal;
    br_dtype dtype;
    float scale;             /* of the scores; 0: the default */
    float q_scale;           /* of the values in q; 0 means 1 */
    int q_row, k_row, v_row; /* columns of a row of q, k and v; 0: those of all heads and no more */
    int q_column, k_column, v_column;
    bool matrix;    /* the form for matrix units, which multiplies weights of 16 bits */
    bool packed;    /* q and k in shared memory as they are */
    bool one_value; /* q, k and v are columns of one value, of q_row columns; only where there are as many queries as keys */
} attention_case;

static float *random_values(int count, uint32_t seed, br_dtype dtype, float scale)
{
    float *values = malloc((size_t)count * sizeof *values);
    assert_non_null(values);
    br_test_random(values, (size_t)count, seed);
    for (int i = 0; i < count; i++)
        values[i] *= scale;
    if (dtype == BR_F16)
        br_test_round_f16(values, (size_t)count);
    return values;
}

/* Columns [column, column + width) of rows, closed up. */
static float *take_columns(const float *values, int rows, int row, int column, int width)
{
    float *taken = malloc((size_t)rows * width * sizeof *taken);
    assert_non_null(taken);
    for (int i = 0; i < rows; i++)
        memcpy(taken + (size_t)i * width, values + (size_t)i * row + column, (size_t)width * sizeof *taken);
    return taken;
}

static void expect_reference(const attention_case *c, const float *const inputs[3], const float *y)
{
    int width = c->heads * c->head_width, q_rows = c->pictures * c->queries, k_rows = c->pictures * c->keys;
    float *q = take_columns(inputs[0], q_rows, c->q_row ? c->q_row : width, c->q_column, width);
    float *k = take_columns(inputs[1], k_rows, c->k_row ? c->k_row : width, c->k_column, width);
    float *v = take_columns(inputs[2], k_rows, c->v_row ? c->v_row : width, c->v_column, width);
    double *expected = malloc((size_t)q_rows * width * sizeof *expected);
    assert_non_null(expected);
    double scale = c->scale != 0 ? c->scale : 1 / sqrt(c->head_width);
    br_ref_attention(
        &(br_ref_attention_params){c->pictures, c->queries, c->keys, c->heads, c->head_width, scale, c->causal, q, k, v}, expected);
    double error = br_test_relative_error(y, expected, (size_t)q_rows * width);
    print_message("[%d, %d, %d x %d], %d keys%s: %.2e\n", c->pictures, c->queries, c->heads, c->head_width, c->keys,
                  c->causal ? ", causal" : "", error);
    assert_true(error <= (c->matrix ? TOLERANCE_MATRIX : c->dtype == BR_F16 ? TOLERANCE_F16 : TOLERANCE_F32));
    free(q), free(k), free(v), free(expected);
}

/* Whether the device takes the form that the case is for. */
static void expect_form(br_graph *graph, const br_vk_caps *caps, const attention_case *c)
{
    br_emitter emitter;
    br_emitter_init(&emitter, graph, caps);
    assert_status_ok(br_emitter_run(&emitter));
    br_shader_id shader = emitter.dispatches[0].shader;
    assert_int_equal(shader == BR_SHADER_ATTENTION_MATRIX_F16, c->matrix && !caps->prefer_reduce);
    assert_int_equal(shader == BR_SHADER_ATTENTION_REDUCE_F16, c->matrix && caps->prefer_reduce);
    bool broadcast = shader == BR_SHADER_ATTENTION_BROADCAST_F32 || shader == BR_SHADER_ATTENTION_BROADCAST_F16;
    assert_int_equal(broadcast, br_gemm_broadcasts(caps));
    assert_int_equal(shader == BR_SHADER_ATTENTION_F16 && emitter.dispatches[0].spec[SPEC_PACKED], c->packed);
    br_emitter_finish(&emitter);
}

static void check(br_test_device *device, const attention_case *c)
{
    if (c->dtype == BR_F16 && !device->caps->f16_storage) {
        print_message("f16 storage: skipped, the device has none\n");
        return;
    }
    int width = c->heads * c->head_width;
    int q_row = c->q_row ? c->q_row : width, k_row = c->k_row ? c->k_row : width, v_row = c->v_row ? c->v_row : width;
    float *q = random_values(c->pictures * c->queries * q_row, 1, c->dtype, c->q_scale ? c->q_scale : 1);
    float *k = random_values(c->pictures * c->keys * k_row, 2, c->dtype, 1);
    float *v = random_values(c->pictures * c->keys * v_row, 3, c->dtype, 1);
    float *y = malloc((size_t)c->pictures * c->queries * width * sizeof *y);
    assert_non_null(y);

    br_graph graph;
    br_graph_init(&graph);
    br_attention_params params = {
        .q = br_graph_input(&graph, "q", c->dtype, br_shape_of(c->pictures, c->queries, q_row)),
        .width = width,
        .q_column = c->q_column,
        .k_column = c->k_column,
        .v_column = c->v_column,
        .heads = c->heads,
        .scale = c->scale,
        .causal = c->causal,
    };
    params.k = c->one_value ? params.q : br_graph_input(&graph, "k", c->dtype, br_shape_of(c->pictures, c->keys, k_row));
    params.v = c->one_value ? params.q : br_graph_input(&graph, "v", c->dtype, br_shape_of(c->pictures, c->keys, v_row));
    br_value out = br_op_attention(&graph, "attn", &params);
    br_graph_output(&graph, out, "y");
    expect_form(&graph, device->caps, c);
    br_test_tensor inputs[] = {{params.q, q}, {params.k, k}, {params.v, v}}, output = {out, y};
    assert_status_ok(br_test_run(&(br_test_run_params){device, &graph, inputs, c->one_value ? 1 : 3, &output, 1, 0}));
    expect_reference(c, (const float *const[]){q, c->one_value ? q : k, c->one_value ? q : v}, y);
    br_graph_finish(&graph);
    free(q), free(k), free(v), free(y);
}

static void check_shapes(br_test_device *device)
{
    const attention_case cases[] = {
        {.pictures = 1, .queries = 1, .keys = 1, .heads = 1, .head_width = 1},
        {.pictures = 1, .queries = 13, .keys = 13, .heads = 3, .head_width = 13},
        {.pictures = 2, .queries = 89, .keys = 89, .heads = 2, .head_width = 16},
        {.pictures = 2, .queries = 64, .keys = 77, .heads = 4, .head_width = 40},
        {.pictures = 1, .queries = 113, .keys = 31, .heads = 2, .head_width = 32},
        {.pictures = 1, .queries = 33, .keys = 131, .heads = 1, .head_width = 64},
        {.pictures = 1, .queries = 37, .keys = 65, .heads = 2, .head_width = 80},
        {.pictures = 1, .queries = 35, .keys = 41, .heads = 2, .head_width = 97},
        {.pictures = 1, .queries = 7, .keys = 67, .heads = 2, .head_width = 160},
        /* Ten invocations along the columns on GPUs: four quads each, blocks of 20 keys, fours that are not whole. */
        {.pictures = 1, .queries = 97, .keys = 53, .heads = 1, .head_width = 160},
        {.pictures = 2, .queries = 49, .keys = 21, .heads = 2, .head_width = 40},
        {.pictures = 1, .queries = 50, .keys = 45, .heads = 2, .head_width = 39},
        {.pictures = 1, .queries = 39, .keys = 67, .heads = 1, .head_width = 257},
        {.pictures = 2, .queries = 41, .keys = 43, .heads = 1, .head_width = 512},
        {.pictures = 1, .queries = 35, .keys = 307, .heads = 1, .head_width = 44},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        check(device, &cases[i]);
}

static void check_causal(br_test_device *device)
{
    const attention_case cases[] = {
        {.pictures = 2, .queries = 77, .keys = 77, .heads = 2, .head_width = 64, .causal = true},
        {.pictures = 1, .queries = 113, .keys = 113, .heads = 3, .head_width = 13, .causal = true},
        {.pictures = 1, .queries = 1, .keys = 1, .heads = 1, .head_width = 5, .causal = true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        check(device, &cases[i]);
}

static void check_storage(br_test_device *device)
{
    check(device, &(attention_case){.pictures = 2, .queries = 53, .keys = 67, .heads = 2, .head_width = 40, .dtype = BR_F16});
    check(device, &(attention_case){
                      .pictures = 1, .queries = 53, .keys = 53, .heads = 2, .head_width = 13, .causal = true, .dtype = BR_F16});
    check(device, &(attention_case){.pictures = 1, .queries = 19, .keys = 35, .heads = 1, .head_width = 512, .dtype = BR_F16});
    check(device, &(attention_case){.pictures = 1, .queries = 37, .keys = 41, .heads = 2, .head_width = 80, .dtype = BR_F16});
    check(device, &(attention_case){.pictures = 1, .queries = 19, .keys = 35, .heads = 3, .head_width = 8, .dtype = BR_F16});
}

/* q, k and v as columns of wider rows: of one value or several, from columns that are and are not multiples of 4. */
static void check_columns(br_test_device *device)
{
    const attention_case cases[] = {
        {.pictures = 2,
         .queries = 53,
         .keys = 53,
         .heads = 2,
         .head_width = 20,
         .q_row = 120,
         .k_row = 120,
         .v_row = 120,
         .k_column = 40,
         .v_column = 80,
         .one_value = true},
        {.pictures = 2,
         .queries = 37,
         .keys = 37,
         .heads = 3,
         .head_width = 13,
         .q_row = 131,
         .k_row = 131,
         .v_row = 131,
         .q_column = 7,
         .k_column = 89,
         .v_column = 46,
         .causal = true,
         .one_value = true},
        {.pictures = 2, .queries = 41, .keys = 77, .heads = 2, .head_width = 40, .k_row = 160, .v_row = 200, .v_column = 120},
        {.pictures = 2,
         .queries = 41,
         .keys = 31,
         .heads = 2,
         .head_width = 8,
         .q_row = 17,
         .k_row = 20,
         .v_row = 19,
         .q_column = 1,
         .k_column = 3,
         .v_column = 2},
        {.pictures = 1,
         .queries = 35,
         .keys = 35,
         .heads = 1,
         .head_width = 64,
         .q_row = 192,
         .k_row = 192,
         .v_row = 192,
         .k_column = 64,
         .v_column = 128,
         .one_value = true,
         .dtype = BR_F16},
        {.pictures = 2,
         .queries = 23,
         .keys = 43,
         .heads = 2,
         .head_width = 8,
         .q_row = 19,
         .k_row = 37,
         .v_row = 37,
         .q_column = 3,
         .k_column = 1,
         .v_column = 18,
         .dtype = BR_F16},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        check(device, &cases[i]);
}

static void test_shapes(void **state)
{
    check_shapes(*state);
}

static void test_causal(void **state)
{
    check_causal(*state);
}

static void test_storage(void **state)
{
    check_storage(*state);
}

static void test_columns(void **state)
{
    check_columns(*state);
}

/* The form for GPUs, on whatever device this is. */
static void test_gpu(void **state)
{
    br_test_device device = *(br_test_device *)*state;
    br_vk_caps caps = *device.caps;
    device.caps = &caps;
    caps.type = VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU;
    caps.max_shared = 49152; /* for blocks of 64 keys, of which this takes one workgroup */
    check_shapes(&device);
    check_causal(&device);
    check_storage(&device);
    check_columns(&device);
    /* Blocks of 32 keys and no wide workgroups; then the narrow sums of Mali. */
    caps.max_shared = 16384;
    caps.max_invocations = 128;
    check_shapes(&device);
    check_causal(&device);
    caps.vendor_id = BR_VENDOR_ARM;
    check_shapes(&device);
}

/* Halves that stay packed, as on Apple's devices and AMD's without matrix units: slabs of 5 and of 8 units, one and several, workgroups of 120, 128 and 256; and what
 * cannot be loaded eight at a time, or is no whole slabs. */
static void test_packed(void **state)
{
    br_test_device device = *(br_test_device *)*state;
    br_vk_caps caps = *device.caps;
    device.caps = &caps;
    caps.type = VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU;
    caps.cooperative_matrix = false;
    strcpy(caps.name, "Apple M1");
    const attention_case cases[] = {
        {.pictures = 2, .queries = 37, .keys = 77, .heads = 3, .head_width = 40, .packed = true},
        {.pictures = 1, .queries = 67, .keys = 99, .heads = 2, .head_width = 80, .packed = true},
        {.pictures = 1, .queries = 13, .keys = 131, .heads = 2, .head_width = 160, .packed = true},
        {.pictures = 2, .queries = 67, .keys = 67, .heads = 2, .head_width = 64, .causal = true, .packed = true},
        {.pictures = 1, .queries = 37, .keys = 41, .heads = 1, .head_width = 512, .packed = true},
        {.pictures = 1,
         .queries = 71,
         .keys = 71,
         .heads = 2,
         .head_width = 80,
         .q_row = 496,
         .k_row = 496,
         .v_row = 496,
         .q_column = 8,
         .k_column = 168,
         .v_column = 332,
         .one_value = true,
         .packed = true},
        {.pictures = 1, .queries = 37, .keys = 41, .heads = 2, .head_width = 40, .q_row = 84, .q_column = 4},
        {.pictures = 1, .queries = 37, .keys = 41, .heads = 2, .head_width = 40, .k_row = 84},
        {.pictures = 1, .queries = 37, .keys = 41, .heads = 1, .head_width = 96},
        {.pictures = 1, .queries = 37, .keys = 41, .heads = 1, .head_width = 36},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        attention_case c = cases[i];
        c.dtype = BR_F16;
        check(&device, &c);
    }
}

/* The form for Mali, on whatever device this is: one slab and several, a column and four an invocation, the last keys one by one. Heads of 64 take
 * lavapipe a minute to compile. */
static void test_broadcast(void **state)
{
    br_vk_caps caps;
    br_test_device device = br_test_device_as_mali(*state, &caps);
    check(&device, &(attention_case){.pictures = 2, .queries = 37, .keys = 77, .heads = 3, .head_width = 40});
    check(&device, &(attention_case){.pictures = 1, .queries = 67, .keys = 67, .heads = 2, .head_width = 32, .causal = true});
    check(&device, &(attention_case){.pictures = 1, .queries = 19, .keys = 173, .heads = 2, .head_width = 32, .dtype = BR_F16});
    check(&device, &(attention_case){.pictures = 1, .queries = 13, .keys = 131, .heads = 1, .head_width = 288});
}

/* Matrix units, where there are any: heads that are and are not multiples of the matrices' sides, rows and keys that never are, columns of wider rows; the
 * softmax's maximum rising late, and scores so far apart that few weights count. Wider heads take lavapipe minutes to compile. */
static void check_matrix(const br_test_device *real, bool reduce)
{
    br_test_device device = *real;
    br_vk_caps caps = *device.caps;
    device.caps = &caps;
    caps.prefer_matrix = true;
    caps.prefer_reduce = reduce;
    const attention_case cases[] = {
        {.pictures = 2, .queries = 67, .keys = 77, .heads = 3, .head_width = 40},
        {.pictures = 2, .queries = 67, .keys = 67, .heads = 3, .head_width = 40, .causal = true},
        {.pictures = 1, .queries = 37, .keys = 401, .heads = 2, .head_width = 64, .q_scale = 8},
        {.pictures = 1, .queries = 37, .keys = 41, .heads = 1, .head_width = 64, .scale = 3},
        {.pictures = 1, .queries = 1, .keys = 32, .heads = 1, .head_width = 40},
        {.pictures = 2, .queries = 1031, .keys = 33, .heads = 4, .head_width = 40}, /* large workgroups */
        {.pictures = 2,
         .queries = 71,
         .keys = 71,
         .heads = 2,
         .head_width = 80,
         .q_row = 496,
         .k_row = 496,
         .v_row = 496,
         .q_column = 4,
         .k_column = 168,
         .v_column = 332,
         .one_value = true},
        /* Fewer keys than a block; keys that cannot be loaded eight numbers at a time. */
        {.pictures = 1, .queries = 37, .keys = 31, .heads = 1, .head_width = 40},
        {.pictures = 1, .queries = 37, .keys = 41, .heads = 1, .head_width = 36},
        {.pictures = 1, .queries = 37, .keys = 41, .heads = 1, .head_width = 40, .k_row = 84, .k_column = 44},
    };
    const size_t others = 3; /* which take the ordinary form */
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        attention_case c = cases[i];
        c.dtype = BR_F16;
        c.matrix = i + others < sizeof cases / sizeof cases[0];
        check(&device, &c);
    }
    /* AMD: half of a block's keys at once. */
    caps.vendor_id = BR_VENDOR_AMD;
    check(
        &device,
        &(attention_case){
            .dtype = BR_F16, .pictures = 1, .queries = 37, .keys = 77, .heads = 2, .head_width = 72, .q_scale = 8, .matrix = true});
}

static void test_matrix(void **state)
{
    const br_test_device *device = *state;
    if (device->caps->cooperative_matrix)
        check_matrix(device, false);
    else
        print_message("cooperative matrices: skipped, the device has none\n");
}

static void test_reduce(void **state)
{
    const br_test_device *device = *state;
    if (device->caps->cooperative_matrix && device->caps->matrix_reduce)
        check_matrix(device, true);
    else
        print_message("VK_NV_cooperative_matrix2: skipped, the device lacks it\n");
}

static void test_scale(void **state)
{
    check(*state, &(attention_case){.pictures = 1, .queries = 17, .keys = 43, .heads = 2, .head_width = 8, .scale = 1});
    check(*state,
          &(attention_case){.pictures = 1, .queries = 17, .keys = 43, .heads = 2, .head_width = 8, .scale = -0.5f, .q_scale = 10});
}

/* A range of 4 KiB takes 11 or 12 rows of 84 floats: rows are cut, and pictures that do not begin where a binding may. */
static void test_lowered_limits(void **state)
{
    (void)state;
    br_test_device *device = br_test_device_open(
        &(br_vk_device_params){.max_storage_range = 4096, .max_groups = 3, .max_invocations = 128, .max_shared = 16384});
    check(device, &(attention_case){.pictures = 2, .queries = 53, .keys = 11, .heads = 3, .head_width = 28});
    check(device, &(attention_case){.pictures = 3, .queries = 27, .keys = 27, .heads = 3, .head_width = 11, .causal = true});
    check(device, &(attention_case){
                      .pictures = 2, .queries = 53, .keys = 53, .heads = 2, .head_width = 17, .causal = true, .dtype = BR_F16});
    /* Rows of q that are wider than those of y, and the other way about. */
    check(device, &(attention_case){.pictures = 2,
                                    .queries = 53,
                                    .keys = 11,
                                    .heads = 2,
                                    .head_width = 12,
                                    .q_row = 83,
                                    .k_row = 70,
                                    .v_row = 68,
                                    .q_column = 35,
                                    .k_column = 3,
                                    .v_column = 40});
    check(device, &(attention_case){.pictures = 3,
                                    .queries = 15,
                                    .keys = 15,
                                    .heads = 1,
                                    .head_width = 22,
                                    .q_row = 66,
                                    .k_row = 66,
                                    .v_row = 66,
                                    .k_column = 22,
                                    .v_column = 44,
                                    .one_value = true});

    br_graph graph;
    br_graph_init(&graph);
    br_value x = br_graph_input(&graph, "x", BR_F32, br_shape_of(1, 61, 64));
    br_value y = br_op_attention(&graph, "wide", &(br_attention_params){.q = x, .k = x, .v = x, .heads = 1});
    br_graph_output(&graph, y, "y");
    assert_status(br_test_run(&(br_test_run_params){.device = device, .graph = &graph}), BR_ERROR_UNSUPPORTED,
                  "wide (attention): operand 1 spans");
    br_graph_finish(&graph);
    br_test_device_close(device);
}

/* Scores of up to ±1e6: only the largest counts, nothing overflows. A row whose every score is minus infinity gives zeros. */
static void check_hard(br_test_device *device)
{
    check(device, &(attention_case){.pictures = 1, .queries = 19, .keys = 67, .heads = 1, .head_width = 1, .q_scale = 1e6f});

    enum { T = 5, KEYS = 35, D = 4 };
    float q[T * D], k[KEYS * D], v[KEYS * D], y[T * D];
    for (int i = 0; i < T * D; i++)
        q[i] = i < D ? -3e38f : 0;
    for (int i = 0; i < KEYS * D; i++)
        k[i] = 3e38f, v[i] = 1.0f + (float)(i / D);
    br_graph graph;
    br_graph_init(&graph);
    br_value vq = br_graph_input(&graph, "q", BR_F32, br_shape_of(1, T, D)),
             vk = br_graph_input(&graph, "k", BR_F32, br_shape_of(1, KEYS, D));
    br_value vv = br_graph_input(&graph, "v", BR_F32, br_shape_of(1, KEYS, D));
    br_value out = br_op_attention(&graph, "attn", &(br_attention_params){.q = vq, .k = vk, .v = vv, .heads = 1});
    br_graph_output(&graph, out, "y");
    br_test_tensor inputs[] = {{vq, q}, {vk, k}, {vv, v}}, output = {out, y};
    assert_status_ok(br_test_run(&(br_test_run_params){device, &graph, inputs, 3, &output, 1, 0}));
    for (int i = 0; i < T * D; i++)
        assert_float_equal(y[i], i < D ? 0 : (KEYS + 1) / 2.0, 1e-4);
    br_graph_finish(&graph);
}

static void test_hard(void **state)
{
    br_test_device device = *(br_test_device *)*state;
    br_vk_caps caps = *device.caps;
    check_hard(&device);
    device.caps = &caps;
    caps.type = VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU;
    check_hard(&device);
}

static void expect_error(const br_attention_params *params, const char *text)
{
    br_graph graph;
    br_graph_init(&graph);
    br_graph_input(&graph, "q", BR_F32, br_shape_of(2, 64, 320));      /* 0 */
    br_graph_input(&graph, "k", BR_F32, br_shape_of(2, 77, 320));      /* 1 */
    br_graph_input(&graph, "narrow", BR_F32, br_shape_of(2, 77, 768)); /* 2 */
    br_graph_input(&graph, "half", BR_F16, br_shape_of(2, 77, 320));   /* 3 */
    br_graph_input(&graph, "flat", BR_F32, br_shape_of(64, 320));      /* 4 */
    assert_int_equal(br_op_attention(&graph, "attn", params), BR_NONE);
    assert_status(br_graph_verify(&graph), BR_ERROR_ARGUMENT, text);
    br_graph_finish(&graph);
}

static void test_errors(void **state)
{
    (void)state;
    expect_error(&(br_attention_params){.q = 4, .k = 1, .v = 1, .heads = 8}, "attention q is [64, 320], expected [B, T, D]");
    expect_error(&(br_attention_params){.q = 0, .k = 2, .v = 2, .heads = 8}, "attention k is [2, 77, 768], expected [2, T, 320]");
    expect_error(&(br_attention_params){.q = 0, .k = 1, .v = 0, .heads = 8},
                 "attention v is [2, 64, 320], expected as many rows as k's [2, 77, 320]");
    expect_error(&(br_attention_params){.q = 0, .k = 2, .v = 2, .width = 160, .q_column = 161, .v_column = 608, .heads = 8},
                 "attention q is [2, 64, 320], expected [2, T, D] with columns 161 to 320");
    expect_error(&(br_attention_params){.q = 0, .k = 2, .v = 2, .width = 160, .k_column = 609, .heads = 8},
                 "attention k is [2, 77, 768], expected [2, T, D] with columns 609 to 768");
    expect_error(&(br_attention_params){.q = 0, .k = 2, .v = 2, .width = 160, .v_column = -1, .heads = 8},
                 "attention v is [2, 77, 768], expected [2, T, D] with columns -1 to 158");
    expect_error(&(br_attention_params){.q = 0, .k = 3, .v = 1, .heads = 8}, "q is f32, k f16 and v f32");
    expect_error(&(br_attention_params){.q = 0, .k = 1, .v = 1, .heads = 7},
                 "attention has 7 heads, expected a divisor of D = 320");
    expect_error(&(br_attention_params){.q = 0, .k = 1, .v = 1, .heads = 8, .causal = true},
                 "causal attention has 64 queries and 77 keys");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_causal),
        cmocka_unit_test(test_storage),
        cmocka_unit_test(test_columns),
        cmocka_unit_test(test_gpu),
        cmocka_unit_test(test_packed),
        cmocka_unit_test(test_broadcast),
        cmocka_unit_test(test_scale),
        cmocka_unit_test(test_matrix),
        cmocka_unit_test(test_reduce),
        cmocka_unit_test(test_lowered_limits),
        cmocka_unit_test(test_hard),
        cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests_name("ops/attention", tests, br_test_device_setup, br_test_device_teardown);
}
