/* linear of a layer norm, which the workgroups of a small product make along with it: against the double reference of both, and what is not made along.
 *
 * Tolerances as of the op by itself. A large mean is rounded as in layer_norm.c, and the product keeps the relative error of what it multiplies. */
#include <stdlib.h>

#include "ops/emit.h"
#include "ops/gemm.h"
#include "ref/layer_norm.h"
#include "ref/linear.h"
#include "support/case.h"
#include "vk/vendor.h"

#define EPS 1e-5f
#define LARGE_MEAN_TOLERANCE 2.5e-4

typedef enum residual_kind { NO_RESIDUAL, FULL, ROW, OF_X } residual_kind;

typedef struct normed_case {
    int64_t m, n, k;
    br_dtype dtype, w_dtype;
    bool bias, geglu;
    residual_kind residual;
    br_activation activation;
    float mean;
    bool constant;   /* x, which leaves nothing but beta */
    bool read_twice; /* the norm, by another node */
    bool apart;      /* two dispatches at least */
} normed_case;

typedef struct normed_graph {
    br_test_case test;
    br_value x, gamma, beta, weight, bias, residual, y;
} normed_graph;

static void build(normed_graph *it, const normed_case *c)
{
    br_test_case *test = &it->test;
    br_test_case_init(test);
    it->x = br_test_case_input(test, "x", c->dtype, br_shape_of(1, c->m, c->k));
    it->gamma = br_test_case_input(test, "gamma", BR_F32, br_shape_of(c->k));
    it->beta = br_test_case_input(test, "beta", BR_F32, br_shape_of(c->k));
    int64_t rows = c->geglu ? 2 * c->n : c->n;
    it->weight = br_test_case_input(test, "weight", c->w_dtype, br_shape_of(rows, c->k));
    it->bias = c->bias ? br_test_case_input(test, "bias", BR_F32, br_shape_of(rows)) : BR_NONE;
    it->residual = c->residual == FULL   ? br_test_case_input(test, "residual", c->dtype, br_shape_of(1, c->m, c->n))
                   : c->residual == ROW  ? br_test_case_input(test, "residual", BR_F32, br_shape_of(c->n))
                   : c->residual == OF_X ? it->x
                                         : BR_NONE;
    float *x = br_test_case_data(test, it->x);
    for (int64_t i = 0; i < c->m * c->k; i++)
        x[i] = c->constant ? 512 : x[i] + c->mean;
    br_value normed = br_op_layer_norm(&test->graph, "norm",
                                       &(br_layer_norm_params){.x = it->x, .gamma = it->gamma, .beta = it->beta, .eps = EPS});
    it->y = br_op_linear(&test->graph, "linear",
                         &(br_linear_params){.x = normed,
                                             .weight = it->weight,
                                             .bias = it->bias,
                                             .residual = it->residual,
                                             .activation = c->activation,
                                             .geglu = c->geglu});
    if (c->read_twice)
        br_graph_output(&test->graph, br_op_activation(&test->graph, "more", normed, BR_ACTIVATION_SILU), "more");
}

/* Whether the device's caps make one dispatch of the norm and its product. */
static void check_count(const br_vk_caps *caps, const normed_case *c)
{
    normed_graph it;
    build(&it, c);
    br_emitter emitter;
    br_emitter_init(&emitter, &it.test.graph, caps);
    int nodes = it.test.graph.node_count;
    assert_status_ok(br_emitter_run(&emitter));
    assert_int_equal(emitter.count == 1, !c->apart);
    assert_int_equal(it.test.graph.node_count, nodes - !c->apart);
    assert_int_equal(br_graph_value(&it.test.graph, it.y)->producer, !c->apart ? 0 : 1);
    assert_status_ok(br_graph_verify(&it.test.graph));
    br_emitter_finish(&emitter);
    br_test_case_finish(&it.test);
}

static void check(const br_test_device *device, const normed_case *c)
{
    if ((c->dtype == BR_F16 || c->w_dtype == BR_F16) && !br_test_has_f16(device))
        return;
    size_t m = (size_t)c->m, n = (size_t)c->n, k = (size_t)c->k;
    check_count(device->caps, c);
    normed_graph it;
    build(&it, c);
    br_test_case *test = &it.test;
    double *y = calloc(m * n + m * k, sizeof *y), *normed = y + m * n;
    float *rounded = calloc(m * k, sizeof *rounded);
    assert_true(y && rounded);
    const float *x = br_test_case_data(test, it.x);
    br_ref_layer_norm(
        &(br_ref_layer_norm_params){x, br_test_case_data(test, it.gamma), br_test_case_data(test, it.beta), m, k, (double)EPS},
        normed);
    for (size_t i = 0; i < m * k; i++)
        rounded[i] = (float)normed[i];
    br_ref_linear(&(br_ref_linear_params){.m = m,
                                          .n = n,
                                          .k = k,
                                          .x = rounded,
                                          .weight = br_test_case_data(test, it.weight),
                                          .bias = c->bias ? br_test_case_data(test, it.bias) : NULL,
                                          .residual = c->residual == FULL   ? br_test_case_data(test, it.residual)
                                                      : c->residual == OF_X ? x
                                                                            : NULL,
                                          .residual_row = c->residual == ROW ? br_test_case_data(test, it.residual) : NULL,
                                          .activation = c->activation,
                                          .geglu = c->geglu},
                  y);
    /* By itself, or where halves stay packed until they are multiplied, the norm is rounded too. */
    double tolerance = c->mean != 0 ? LARGE_MEAN_TOLERANCE : 2 * br_test_tolerance(c->dtype);
    br_test_case_check(test, (br_test_device *)device, it.y, y, tolerance);
    free(y), free(rounded);
    br_test_case_finish(test);
}

static const normed_case cases[] = {
    {.m = 37, .n = 44, .k = 64, .bias = true, .residual = FULL},
    {.m = 89, .n = 113, .k = 68, .bias = true, .residual = ROW, .activation = BR_ACTIVATION_SILU}, /* the last step is not whole */
    {.m = 131, .n = 67, .k = 4},
    {.m = 53, .n = 71, .k = 96, .bias = true, .geglu = true},
    {.m = 77, .n = 97, .k = 128, .bias = true, .w_dtype = BR_F16},
    {.m = 77, .n = 68, .k = 160, .bias = true, .dtype = BR_F16, .w_dtype = BR_F16},
    {.m = 45, .n = 36, .k = 76, .geglu = true, .dtype = BR_F16, .w_dtype = BR_F16},
    {.m = 33, .n = 40, .k = 320, .bias = true, .mean = 1000},
    /* What is not made along. */
    {.m = 37, .n = 44, .k = 62, .bias = true, .apart = true},                       /* rows are no quads */
    {.m = 7, .n = 44, .k = 64, .apart = true},                                      /* few rows */
    {.m = 37, .n = 44, .k = 1284, .apart = true},                                   /* long ones */
    {.m = 37, .n = 64, .k = 64, .residual = OF_X, .apart = true},                   /* y may be written over x */
    {.m = 37, .n = 44, .k = 64, .read_twice = true, .apart = true},                 /* the norm is wanted */
    {.m = 37, .n = 44, .k = 64, .dtype = BR_F16, .w_dtype = BR_F32, .apart = true}, /* types that no model has on GPUs */
};

static void check_all(const br_test_device *device)
{
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        check(device, &cases[i]);
}

static void tiles(void **state)
{
    br_test_devices *devices = *state;
    check_all(&devices->gpu);
}

/* Where the norm is packed into halves again. */
static void packed(void **state)
{
    br_test_devices *devices = *state;
    br_test_device device = devices->gpu;
    br_vk_caps caps = *device.caps;
    device.caps = &caps;
    caps.vendor_id = BR_VENDOR_AMD;
    caps.cooperative_matrix = false;
    assert_true(br_gemm_tile_choose(&caps, 77, 68, 160).packed);
    check(&device, &(normed_case){.m = 77, .n = 68, .k = 160, .bias = true, .dtype = BR_F16, .w_dtype = BR_F16});
    check(&device, &(normed_case){.m = 45, .n = 36, .k = 76, .geglu = true, .dtype = BR_F16, .w_dtype = BR_F16});
    /* Beside it the zeros past the end would be out of a half's range. */
    check(&device, &(normed_case){.m = 45, .n = 36, .k = 76, .constant = true, .dtype = BR_F16, .w_dtype = BR_F16});
}

/* The form for Mali: workgroups of 80, 64 and 32. */
static void broadcast(void **state)
{
    br_test_devices *devices = *state;
    br_vk_caps caps;
    br_test_device mali = br_test_device_as_mali(devices->full, &caps);
    check_all(&mali);
    check(&mali, &(normed_case){.m = 35, .n = 160, .k = 64, .bias = true, .residual = FULL});
    check(&mali, &(normed_case){.m = 35, .n = 160, .k = 68, .bias = true});
}

/* More workgroups than are at work at once, more work than ordinary arithmetic should take from matrix units, too few bindings, or too small ones for a matrix. */
static void not_suited(void **state)
{
    br_test_devices *devices = *state;
    br_test_device device = devices->gpu;
    br_vk_caps caps = *device.caps;
    device.caps = &caps;
    check_count(&caps, &(normed_case){.m = 1031, .n = 320, .k = 64, .bias = true});
    check_count(&caps, &(normed_case){.m = 8192, .n = 960, .k = 320, .bias = true, .apart = true});
    caps.cooperative_matrix = caps.prefer_matrix = true;
    caps.matrix_count = 1;
    caps.matrix[0] = (br_vk_matrix_shape){.m = 16, .n = 16, .k = 16};
    caps.subgroup_min = caps.subgroup_max = 32;
    for (int64_t m = 256; m <= 512; m *= 2)
        check_count(&caps, &(normed_case){.m = m, .n = 640, .k = 160, .dtype = BR_F16, .w_dtype = BR_F16, .apart = m == 512});
    caps = devices->gpu_caps;
    caps.max_storage_buffers = 6;
    check(&device, &(normed_case){.m = 37, .n = 44, .k = 64, .bias = true, .apart = true});
    caps = devices->gpu_caps;
    caps.max_storage_range = 4096;
    check_count(&caps, &(normed_case){.m = 13, .n = 44, .k = 64, .bias = true, .apart = true});
    if (br_gemm_has_lanes(devices->full->caps))
        check(devices->full, &(normed_case){.m = 37, .n = 44, .k = 64, .bias = true, .apart = true});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tiles),
        cmocka_unit_test(packed),
        cmocka_unit_test(broadcast),
        cmocka_unit_test(not_suited),
    };
    return cmocka_run_group_tests_name("ops/normed_linear", tests, br_test_devices_setup, br_test_devices_teardown);
}
