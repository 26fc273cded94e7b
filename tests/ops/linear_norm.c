/* linear with the layer norm behind it, which the dispatch that adds up the parts of a divided depth makes along with it. */
#include <stdlib.h>

#include "ops/emit.h"
#include "ops/gemm.h"
#include "ref/layer_norm.h"
#include "ref/linear.h"
#include "support/case.h"

#define EPS 1e-5f

typedef struct norm_case {
    int64_t m, n, k;
    br_dtype dtype;
    bool bias, residual, residual_row;
    br_activation activation;
    bool apart; /* another node comes between */
    int dispatches;
} norm_case;

typedef struct norm_graph {
    br_test_case test;
    br_value x, weight, bias, residual, gamma, beta, y, normed;
} norm_graph;

static void build(norm_graph *it, const norm_case *c)
{
    br_test_case *test = &it->test;
    br_test_case_init(test);
    it->x = br_test_case_input(test, "x", c->dtype, br_shape_of(1, c->m, c->k));
    it->weight = br_test_case_input(test, "weight", c->dtype, br_shape_of(c->n, c->k));
    it->bias = c->bias ? br_test_case_input(test, "bias", BR_F32, br_shape_of(c->n)) : BR_NONE;
    it->residual = c->residual       ? br_test_case_input(test, "residual", c->dtype, br_shape_of(1, c->m, c->n))
                   : c->residual_row ? br_test_case_input(test, "residual", BR_F32, br_shape_of(c->n))
                                     : BR_NONE;
    it->gamma = br_test_case_input(test, "gamma", BR_F32, br_shape_of(c->n));
    it->beta = br_test_case_input(test, "beta", BR_F32, br_shape_of(c->n));
    /* The residual dies in the product, so that y takes its place. */
    br_value residual = c->residual ? br_test_case_temp(test, it->residual) : it->residual;
    it->y = br_op_linear(
        &test->graph, "linear",
        &(br_linear_params){.x = it->x, .weight = it->weight, .bias = it->bias, .residual = residual, .activation = c->activation});
    if (c->apart)
        br_graph_output(&test->graph, br_op_activation(&test->graph, "between", it->y, BR_ACTIVATION_SILU), "between");
    it->normed = br_op_layer_norm(&test->graph, "norm",
                                  &(br_layer_norm_params){.x = it->y, .gamma = it->gamma, .beta = it->beta, .eps = EPS});
}

/* How many dispatches the device's caps make of the product and its norm; the temporary residual's is not counted. */
static void check_count(const br_vk_caps *caps, const norm_case *c)
{
    norm_graph it;
    build(&it, c);
    br_emitter emitter;
    br_emitter_init(&emitter, &it.test.graph, caps);
    int nodes = it.test.graph.node_count;
    assert_status_ok(br_emitter_run(&emitter));
    assert_int_equal(emitter.count - c->residual - c->apart, c->dispatches);
    br_gemm_tile tile = br_gemm_tile_choose(caps, (uint64_t)c->m, (uint64_t)c->n, (uint64_t)c->k);
    bool merged = c->dispatches == (tile.parts > 1 ? 2 : 1);
    assert_int_equal(it.test.graph.node_count, nodes - merged);
    assert_int_equal(br_graph_value(&it.test.graph, it.normed)->producer, nodes - 1 - merged);
    assert_status_ok(br_graph_verify(&it.test.graph));
    br_emitter_finish(&emitter);
    br_test_case_finish(&it.test);
}

static void check(br_test_device *device, const norm_case *c)
{
    size_t m = (size_t)c->m, n = (size_t)c->n;
    check_count(device->caps, c);
    for (int of_y = 0; of_y < 2; of_y++) {
        norm_graph it;
        build(&it, c);
        br_test_case *test = &it.test;
        double *y = calloc(2 * m * n, sizeof *y), *normed = y + m * n;
        float *rounded = calloc(m * n, sizeof *rounded);
        assert_true(y && rounded);
        br_ref_linear(&(br_ref_linear_params){.m = m,
                                              .n = n,
                                              .k = (size_t)c->k,
                                              .x = br_test_case_data(test, it.x),
                                              .weight = br_test_case_data(test, it.weight),
                                              .bias = c->bias ? br_test_case_data(test, it.bias) : NULL,
                                              .residual = c->residual ? br_test_case_data(test, it.residual) : NULL,
                                              .residual_row = c->residual_row ? br_test_case_data(test, it.residual) : NULL,
                                              .activation = c->activation},
                      y);
        for (size_t i = 0; i < m * n; i++)
            rounded[i] = (float)y[i];
        br_ref_layer_norm(&(br_ref_layer_norm_params){rounded, br_test_case_data(test, it.gamma), br_test_case_data(test, it.beta),
                                                      m, n, (double)EPS},
                          normed);
        br_graph_output(&test->graph, of_y ? it.normed : it.y, "other");
        /* What is not made along reads y as it was stored. */
        br_test_case_check(test, device, of_y ? it.y : it.normed, of_y ? y : normed, (of_y ? 1 : 2) * br_test_tolerance(c->dtype));
        free(y), free(rounded);
        br_test_case_finish(test);
    }
}

static void shapes(void **state)
{
    br_test_devices *devices = *state;
    static const norm_case cases[] = {
        {.m = 37, .n = 44, .k = 2052, .bias = true, .residual = true, .dispatches = 2},
        {.m = 33, .n = 1284, .k = 1031, .residual = true, .dispatches = 2}, /* six quads an invocation */
        {.m = 5 * 13, .n = 260, .k = 1548, .bias = true, .activation = BR_ACTIVATION_SILU, .dispatches = 2},
        {.m = 31, .n = 68, .k = 1100, .bias = true, .residual_row = true, .dispatches = 2},
        {.m = 33, .n = 36, .k = 2560, .dtype = BR_F16, .bias = true, .residual = true, .dispatches = 2},
        /* What is not made along: a row that does not end with a quad, a depth that is not divided, a norm that comes later, rows too long for registers. */
        {.m = 37, .n = 43, .k = 2052, .bias = true, .residual = true, .dispatches = 3},
        {.m = 37, .n = 44, .k = 60, .bias = true, .residual = true, .dispatches = 2},
        {.m = 37, .n = 44, .k = 2052, .bias = true, .apart = true, .dispatches = 3},
        {.m = 9, .n = 2052, .k = 1024, .bias = true, .dispatches = 3},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (cases[i].dtype == BR_F32 || br_test_has_f16(devices->full))
            check(&devices->gpu, &cases[i]);
}

/* A device that binds too few buffers to a shader. */
static void few_bindings(void **state)
{
    br_test_devices *devices = *state;
    br_test_device device = devices->gpu;
    br_vk_caps caps = *device.caps;
    device.caps = &caps;
    caps.max_storage_buffers = 6;
    check(&device, &(norm_case){.m = 37, .n = 44, .k = 2052, .bias = true, .residual = true, .dispatches = 3});
}

/* The form for CPU devices divides no depth. */
static void cpu(void **state)
{
    br_test_devices *devices = *state;
    if (br_gemm_has_lanes(devices->full->caps))
        check(devices->full, &(norm_case){.m = 37, .n = 44, .k = 2052, .bias = true, .residual = true, .dispatches = 2});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes),
        cmocka_unit_test(few_bindings),
        cmocka_unit_test(cpu),
    };
    return cmocka_run_group_tests_name("ops/linear_norm", tests, br_test_devices_setup, br_test_devices_teardown);
}
