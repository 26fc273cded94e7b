/* Matrices of block types: linear in all its forms and embedding, against the double reference on the numbers that the blocks stand for. The blocks go
 * through the repacking that binding does, and every field of them is random.
 *
 * Tolerances as in linear.c: both sides start from the same numbers, up to the rounding of scale · q to f32. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exec/repack.h"
#include "ops/gemm.h"
#include "ref/embedding.h"
#include "ref/linear.h"
#include "support/case.h"
#include "support/matrix.h"

static const br_dtype types[] = {BR_Q4_0, BR_Q4_1, BR_Q5_0, BR_Q5_1, BR_Q8_0, BR_Q2_K, BR_Q3_K, BR_Q4_K, BR_Q5_K, BR_Q6_K};
#define TYPE_COUNT (sizeof types / sizeof types[0])

typedef struct quant_case {
    br_dtype dtype, x_dtype;
    int64_t m, n, k;
    bool geglu;
    int64_t k_more; /* columns of the matrix on either side of those that are used */
} quant_case;

static void check_linear(br_test_device *device, const quant_case *c)
{
    if (c->x_dtype == BR_F16 && !br_test_has_f16(device))
        return;
    size_t m = (size_t)c->m, n = (size_t)c->n, k = (size_t)c->k;
    int64_t w_rows = c->geglu ? 2 * c->n : c->n, w_columns = c->k + 2 * c->k_more;
    br_test_matrix w = br_test_matrix_make(c->dtype, w_rows, w_columns);
    float *x = test_malloc(m * k * sizeof *x), *bias = test_malloc((size_t)w_rows * sizeof *bias),
          *y = test_malloc(m * n * sizeof *y);
    double *expected = test_malloc(m * n * sizeof *expected);
    br_test_random(x, m * k, 1);
    br_test_random(bias, (size_t)w_rows, 2);
    if (c->x_dtype == BR_F16)
        br_test_round_f16(x, m * k);

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
    br_value out = br_op_linear(&graph, "linear", &params);
    br_graph_output(&graph, out, "y");
    br_test_tensor inputs[] = {{params.x, x, NULL}, {params.weight, NULL, w.words}, {params.bias, bias, NULL}};
    br_test_tensor output = {out, y, NULL};
    assert_status_ok(br_test_run(&(br_test_run_params){device, &graph, inputs, 3, &output, 1, 0}));
    br_ref_linear(&(br_ref_linear_params){.m = m,
                                          .n = n,
                                          .k = k,
                                          .x = x,
                                          .weight = w.values + c->k_more,
                                          .bias = bias,
                                          .geglu = c->geglu,
                                          .w_stride = (size_t)w_columns},
                  expected);
    double error = br_test_relative_error(y, expected, m * n);
    print_message("%s %s [%zu, %zu] x [%zu, %zu]: %.2e\n", br_dtype_name(c->dtype), br_dtype_name(c->x_dtype), m, k, n, k, error);
    assert_true(error <= br_test_tolerance(c->x_dtype));
    br_graph_finish(&graph);
    test_free(x);
    test_free(bias);
    test_free(y);
    test_free(expected);
    br_test_matrix_free(&w);
}

/* Numbers of blocks that leave a row's last word half empty among them. */
static void check_types(br_test_device *device, int64_t m, int64_t n, int64_t blocks)
{
    for (size_t i = 0; i < TYPE_COUNT; i++)
        check_linear(device, &(quant_case){types[i], BR_F32, m, n, blocks * br_dtype_block(types[i])});
}

/* A type with each way of storing scales: every pipeline takes a CPU device a quarter of a second to build. */
static void check_some(br_test_device *device, int64_t m, int64_t n, int64_t blocks, br_dtype x_dtype)
{
    static const br_dtype some[] = {BR_Q5_0, BR_Q3_K, BR_Q4_K};
    for (size_t i = 0; i < sizeof some / sizeof some[0]; i++)
        check_linear(device, &(quant_case){some[i], x_dtype, m, n, blocks * br_dtype_block(some[i])});
}

static void test_tiles(void **state)
{
    br_test_devices *devices = *state;
    check_types(devices->full, 37, 89, 3);
    check_some(devices->full, 89, 43, 2, BR_F16);
    check_linear(devices->full, &(quant_case){BR_Q8_0, BR_F32, 13, 1, 1056});
}

static void test_few_rows(void **state)
{
    br_test_devices *devices = *state;
    check_types(devices->full, 1, 113, 5);
    check_some(devices->full, 7, 13, 1, BR_F32);
    check_some(devices->full, 2, 67, 2, BR_F16);
    check_some(&devices->gpu, 1, 113, 5, BR_F32);
    check_some(&devices->gpu, 2, 67, 2, BR_F16);
}

/* The tiles that GPUs get, on whatever device this is: small for all types, the other sizes once. */
static void test_gpu_tiles(void **state)
{
    br_test_devices *devices = *state;
    check_types(&devices->gpu, 37, 41, 1);
    check_some(&devices->gpu, 43, 37, 2, BR_F16);
    check_linear(&devices->gpu, &(quant_case){BR_Q4_0, BR_F32, 1031, 1009, 32}); /* large */
    check_linear(&devices->gpu, &(quant_case){BR_Q5_1, BR_F32, 509, 449, 96});   /* medium */
    check_linear(&devices->gpu, &(quant_case){BR_Q8_0, BR_F32, 389, 3, 160});    /* narrow */
    br_vk_caps caps;
    br_test_device mali = br_test_device_as_mali(&devices->gpu, &caps);
    assert_int_equal(br_gemm_tile_choose(&caps, 43, 37, 96).form, BR_GEMM_BROADCAST);
    check_some(&mali, 43, 37, 2, BR_F32);
    check_some(&mali, 43, 131, 1, BR_F16);
}

/* Values with gates, and parts of rows that begin and end within a super-block. */
static void test_parts(void **state)
{
    br_test_devices *devices = *state;
    br_test_device *forms[] = {devices->full, &devices->gpu};
    for (size_t i = 0; i < 2; i++) {
        check_linear(forms[i], &(quant_case){BR_Q5_1, BR_F32, 37, 41, 96, .geglu = true, .k_more = 32});
        check_linear(forms[i], &(quant_case){BR_Q4_K, BR_F32, 37, 41, 192, .k_more = 32});
        check_linear(forms[i], &(quant_case){BR_Q6_K, BR_F32, 37, 41, 320, .k_more = 96});
        check_linear(forms[i], &(quant_case){BR_Q3_K, BR_F32, 3, 13, 192, .geglu = true, .k_more = 32});
    }
    check_linear(devices->limited, &(quant_case){BR_Q8_0, BR_F32, 41, 53, 64, .geglu = true, .k_more = 32});
}

/* Bindings of 4 KiB: rows in slices whose words begin where no binding may. */
static void test_lowered_limits(void **state)
{
    br_test_devices *devices = *state;
    check_some(devices->limited, 41, 53, 3, BR_F32);
    check_some(devices->limited, 3, 67, 1, BR_F32);
}

/* With positions, five extra rows too: plain numbers both. */
static void check_embedding(br_test_device *device, br_dtype dtype, br_dtype table_dtype, bool positions)
{
    const int64_t pictures = 2, length = 13, vocabulary = 89, extra = 5, width = 3 * br_dtype_block(table_dtype);
    if (dtype == BR_F16 && !br_test_has_f16(device))
        return;
    br_test_matrix table = br_test_matrix_make(table_dtype, vocabulary, width);
    size_t count = (size_t)(pictures * length * width);
    float *shift = test_malloc((size_t)(length * width) * sizeof *shift),
          *rows = test_malloc((size_t)(extra * width) * sizeof *rows);
    float ids[26], *actual = test_malloc(count * sizeof *actual);
    double *expected = test_malloc(count * sizeof *expected);
    br_test_random(shift, (size_t)(length * width), 3);
    br_test_random(rows, (size_t)(extra * width), 4);
    for (int i = 0; i < 26; i++)
        ids[i] = (float)(i * 37 % (vocabulary + extra + 4) - 2);
    br_graph graph;
    br_graph_init(&graph);
    br_embedding_params params = {
        .tokens = br_graph_input(&graph, "tokens", BR_I32, br_shape_of(pictures, length)),
        .table = br_graph_weight(&graph, "table", table_dtype, br_shape_of(vocabulary, width), BR_WEIGHT_PLAIN),
        .positions = positions ? br_graph_input(&graph, "positions", BR_F32, br_shape_of(length, width)) : BR_NONE,
        .extra = positions ? br_graph_input(&graph, "extra", BR_F32, br_shape_of(extra, width)) : BR_NONE,
        .dtype = dtype,
    };
    br_value y = br_op_embedding(&graph, "embed", &params);
    br_graph_output(&graph, y, "y");
    br_test_tensor inputs[] = {
        {params.tokens, ids, NULL}, {params.table, NULL, table.words}, {params.positions, shift, NULL}, {params.extra, rows, NULL}};
    br_test_tensor output = {y, actual, NULL};
    assert_status_ok(br_test_run(&(br_test_run_params){device, &graph, inputs, positions ? 4 : 2, &output, 1, 0}));
    br_ref_embedding(&(br_ref_embedding_params){.tokens = ids,
                                                .table = table.values,
                                                .positions = positions ? shift : NULL,
                                                .extra = rows,
                                                .extra_count = positions ? (size_t)extra : 0,
                                                .pictures = (size_t)pictures,
                                                .length = (size_t)length,
                                                .vocabulary = (size_t)vocabulary,
                                                .width = (size_t)width},
                     expected);
    double error = br_test_relative_error(actual, expected, count);
    if (!(error <= br_test_tolerance(dtype)))
        fail_msg("%s: relative error %g", br_dtype_name(table_dtype), error);
    br_graph_finish(&graph);
    test_free(shift);
    test_free(rows);
    test_free(actual);
    test_free(expected);
    br_test_matrix_free(&table);
}

static void test_embedding(void **state)
{
    br_test_devices *devices = *state;
    for (size_t i = 0; i < TYPE_COUNT; i++) {
        check_embedding(devices->full, BR_F32, types[i], true);
        check_embedding(devices->limited, BR_F32, types[i], true);
    }
    check_embedding(devices->full, BR_F16, BR_Q5_1, false);
    check_embedding(devices->full, BR_F16, BR_Q6_K, true);
}

/* A row takes what its blocks take in the file, and at most half a word more. */
static void test_sizes(void **state)
{
    (void)state;
    for (size_t i = 0; i < TYPE_COUNT; i++)
        for (int64_t blocks = 1; blocks <= 5; blocks++) {
            br_weight_dtype stored = (br_weight_dtype)(BR_WEIGHT_Q4_0 + (types[i] - BR_Q4_0));
            int64_t file = blocks * (int64_t)br_weight_dtype_size(stored);
            assert_int_equal(br_dtype_block(types[i]), br_weight_dtype_block(stored));
            assert_int_equal(br_dtype_row_bytes(types[i], blocks * br_dtype_block(types[i])), (file + 3) / 4 * 4);
            br_dtype kept;
            assert_true(br_repack_dtype(stored, &kept));
            assert_int_equal(kept, types[i]);
        }
}

static void expect_error(br_dtype dtype, br_shape shape, const char *text)
{
    br_graph graph;
    br_graph_init(&graph);
    assert_int_equal(br_graph_weight(&graph, "w", dtype, shape, BR_WEIGHT_PLAIN), BR_NONE);
    assert_status(br_graph_verify(&graph), BR_ERROR_ARGUMENT, text);
    br_graph_finish(&graph);
}

static void test_errors(void **state)
{
    (void)state;
    expect_error(BR_Q8_0, br_shape_of(5, 33), "w is q8_0 [5, 33], which only weights [N, D] can be, D a multiple of 32");
    expect_error(BR_Q4_K, br_shape_of(5, 128), "w is q4_k [5, 128], which only weights [N, D] can be, D a multiple of 256");
    expect_error(BR_Q4_0, br_shape_of(4, 3, 3, 32), "w is q4_0 [4, 3, 3, 32], which only weights");
    br_graph graph;
    br_graph_init(&graph);
    assert_int_equal(br_graph_input(&graph, "x", BR_Q5_0, br_shape_of(2, 64)), BR_NONE);
    assert_status(br_graph_verify(&graph), BR_ERROR_ARGUMENT, "x is q5_0 [2, 64], which only weights");
    br_graph_finish(&graph);
    br_graph_init(&graph);
    br_value w = br_graph_weight(&graph, "w", BR_Q8_0, br_shape_of(2, 64), BR_WEIGHT_PLAIN);
    assert_int_equal(br_graph_view(&graph, w, br_shape_of(8, 16)), BR_NONE);
    assert_status(br_graph_verify(&graph), BR_ERROR_ARGUMENT, "q8_0 [8, 16]");
    br_graph_finish(&graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tiles),          cmocka_unit_test(test_few_rows), cmocka_unit_test(test_gpu_tiles),
        cmocka_unit_test(test_lowered_limits), cmocka_unit_test(test_parts),    cmocka_unit_test(test_embedding),
        cmocka_unit_test(test_sizes),          cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests_name("ops/quant", tests, br_test_devices_setup, br_test_devices_teardown);
}
