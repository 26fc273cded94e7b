/* What emitters make of sizes that real models have, on the poorest device that Vulkan allows: every operand fits a binding, starts where a binding may
 * start, the grids fit, and the pieces cover the result. No device is needed for that. */
#include <stdlib.h>

#include "ops/emit.h"
#include "support/test.h"

static const br_vk_caps minimum = {
    .max_storage_range = 128 << 20,
    .max_groups = {65535, 65535, 65535},
    .max_group_size = {128, 128, 64},
    .max_invocations = 128,
    .max_shared = 16384,
    .max_push = 128,
    .max_storage_buffers = 6,
    .storage_alignment = 256,
};

/* Bytes of `value` that some dispatch writes; pieces are expected in ascending order, overlapping at most by the alignment of their starts. */
static void check_coverage(const br_emitter *emitter, br_value value, int pieces_expected)
{
    uint64_t covered = 0;
    int pieces = 0;
    for (int i = 0; i < emitter->count; i++)
        for (uint32_t j = 0; j < emitter->dispatches[i].operand_count; j++) {
            const br_operand *operand = &emitter->dispatches[i].operands[j];
            if (operand->value != value || operand->access != BR_VK_WRITE)
                continue;
            assert_true(operand->offset <= covered && covered - operand->offset < 256);
            covered = operand->offset + operand->size;
            pieces++;
        }
    assert_int_equal(covered, br_graph_bytes(emitter->graph, value));
    assert_int_equal(pieces, pieces_expected);
}

/* Consumes the graph. The limits themselves are checked by br_emit_dispatch. */
static void check_emission(br_graph *graph, br_value y, int pieces_expected)
{
    assert_status_ok(br_graph_verify(graph));
    br_emitter emitter;
    br_emitter_init(&emitter, graph, &minimum);
    assert_status_ok(br_emitter_run(&emitter));
    for (int i = 0; i < emitter.count; i++)
        assert_true(emitter.dispatches[i].operand_count <= minimum.max_storage_buffers);
    check_coverage(&emitter, y, pieces_expected);
    br_emitter_finish(&emitter);
    br_graph_finish(graph);
}

static br_value input(br_graph *graph, const char *name, br_shape shape)
{
    return br_graph_input(graph, name, BR_F32, shape);
}

/* The last blocks of a VAE decoder at 1024 x 1024: 1 GiB. */
static void group_norm_of_a_gibibyte(void **state)
{
    (void)state;
    br_graph graph;
    br_graph_init(&graph);
    br_value vector = input(&graph, "gamma", br_shape_of(256));
    br_group_norm_params params = {.x = input(&graph, "x", br_shape_of(1, 1024, 1024, 256)),
                                   .beside = BR_NONE,
                                   .gamma = vector,
                                   .beta = vector,
                                   .groups = 32,
                                   .eps = 1e-6f};
    params.activation = BR_ACTIVATION_SILU;
    check_emission(&graph, br_op_group_norm(&graph, "norm", &params), 9);
}

static void elementwise_of_a_gibibyte(void **state)
{
    (void)state;
    br_graph graph;
    br_graph_init(&graph);
    br_value a = input(&graph, "a", br_shape_of(1, 1024, 1024, 256)), b = input(&graph, "b", br_shape_of(1, 1024, 1024, 256));
    check_emission(&graph, br_op_add(&graph, "add", a, b), 9);

    br_graph_init(&graph);
    check_emission(&graph, br_op_activation(&graph, "act", input(&graph, "x", br_shape_of(1, 1024, 1024, 251)), BR_ACTIVATION_SILU),
                   8);

    br_graph_init(&graph);
    a = input(&graph, "a", br_shape_of(2, 128, 128, 640)), b = input(&graph, "b", br_shape_of(2, 128, 128, 320));
    check_emission(&graph, br_op_concat(&graph, "cat", a, b), 1);
}

/* The last enlarging of a VAE decoder at 1024 × 1024, by two, with the convolution of it: 256 MiB become 1 GiB. */
static void conv2d_of_a_gibibyte(void **state)
{
    (void)state;
    br_graph graph;
    br_graph_init(&graph);
    br_conv2d_params params = {.x = input(&graph, "x", br_shape_of(1, 512, 512, 256)),
                               .weight = input(&graph, "w", br_shape_of(256, 3, 3, 256)),
                               .bias = BR_NONE,
                               .residual = BR_NONE,
                               .stride = 1,
                               .pad_top = 1,
                               .pad_left = 1,
                               .pad_bottom = 1,
                               .pad_right = 1,
                               .upsampled_height = 1024,
                               .upsampled_width = 1024};
    check_emission(&graph, br_op_conv2d(&graph, "up", &params), 9);
}

/* y in the place of x, in this many slabs: no dispatch writes what it or a later one reads. Lines are whole multiples of the alignment, so operands begin where the
 * first line does. */
static void check_over_x(br_shape shape, int64_t out_channels, int pieces_expected)
{
    br_graph graph;
    br_graph_init(&graph);
    br_conv2d_params params = {.x = input(&graph, "x", shape),
                               .weight = input(&graph, "w", br_shape_of(out_channels, 3, 3, shape.dim[3])),
                               .bias = BR_NONE,
                               .residual = BR_NONE,
                               .stride = 1,
                               .pad_top = 1,
                               .pad_left = 1,
                               .pad_bottom = 1,
                               .pad_right = 1,
                               .over_x = true};
    br_value y = br_op_conv2d(&graph, "narrow", &params);
    br_emitter emitter;
    br_emitter_init(&emitter, &graph, &minimum);
    assert_status_ok(br_emitter_run(&emitter));
    check_coverage(&emitter, y, pieces_expected);
    uint64_t lead = (uint64_t)graph.nodes[0].in_place_lead, unread = UINT64_MAX; /* where what later dispatches read begins */
    assert_true(lead <= (uint64_t)br_graph_bytes(&graph, y) / 4);
    for (int i = emitter.count - 1; i >= 0; i--) {
        const br_operand *reads = NULL, *writes = NULL;
        for (uint32_t j = 0; j < emitter.dispatches[i].operand_count; j++) {
            const br_operand *operand = &emitter.dispatches[i].operands[j];
            reads = operand->value == params.x ? operand : reads;
            writes = operand->value == y ? operand : writes;
        }
        assert_true(reads && writes);
        if (lead + reads->offset < unread)
            unread = lead + reads->offset;
        assert_true(writes->offset + writes->size <= unread);
    }
    br_emitter_finish(&emitter);
    br_graph_finish(&graph);
}

static void conv2d_over_x(void **state)
{
    (void)state;
    check_over_x(br_shape_of(1, 512, 512, 64), 32, 5);
    check_over_x(br_shape_of(1, 1024, 1024, 256), 128, 9); /* 1 GiB: some slabs are as long as a binding is */
    check_over_x(br_shape_of(3, 113, 64, 64), 32, 5);      /* the first picture in three, the others as wholes */
    check_over_x(br_shape_of(16, 7, 64, 64), 64, 16);      /* none that grows */
    check_over_x(br_shape_of(1, 89, 64, 64), 4, 2);
}

/* SDXL's feed-forward at 1024 x 1024, guided: [2, 4096, 5120] is 160 MiB. */
static void geglu_of_sdxl(void **state)
{
    (void)state;
    br_graph graph;
    br_graph_init(&graph);
    br_linear_params params = {.x = input(&graph, "x", br_shape_of(2, 4096, 1280)),
                               .weight = input(&graph, "w", br_shape_of(10240, 1280)),
                               .bias = BR_NONE,
                               .residual = BR_NONE,
                               .geglu = true};
    check_emission(&graph, br_op_linear(&graph, "geglu", &params), 2);
}

/* CLIP's table in f32 is 152 MB: two ranges of rows, each of which may write all of y. */
static void embedding_of_clip(void **state)
{
    (void)state;
    br_graph graph;
    br_graph_init(&graph);
    br_embedding_params params = {.tokens = br_graph_input(&graph, "tokens", BR_I32, br_shape_of(2, 77)),
                                  .table = input(&graph, "table", br_shape_of(49408, 768)),
                                  .positions = input(&graph, "positions", br_shape_of(77, 768)),
                                  .extra = BR_NONE,
                                  .dtype = BR_F32};
    br_value y = br_op_embedding(&graph, "embed", &params);
    assert_status_ok(br_graph_verify(&graph));
    br_emitter emitter;
    br_emitter_init(&emitter, &graph, &minimum);
    assert_status_ok(br_emitter_run(&emitter));
    assert_int_equal(emitter.count, 2);
    uint64_t rows = 0;
    for (int i = 0; i < 2; i++)
        for (uint32_t j = 0; j < emitter.dispatches[i].operand_count; j++) {
            const br_operand *operand = &emitter.dispatches[i].operands[j];
            if (operand->value == params.table) {
                assert_int_equal(operand->offset, rows);
                rows = operand->offset + operand->size;
            }
            if (operand->value == y)
                assert_int_equal(operand->size, br_graph_bytes(&graph, y));
        }
    assert_int_equal(rows, br_graph_bytes(&graph, params.table));
    br_emitter_finish(&emitter);
    br_graph_finish(&graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(group_norm_of_a_gibibyte), cmocka_unit_test(elementwise_of_a_gibibyte),
        cmocka_unit_test(conv2d_of_a_gibibyte),     cmocka_unit_test(geglu_of_sdxl),
        cmocka_unit_test(embedding_of_clip),        cmocka_unit_test(conv2d_over_x),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
