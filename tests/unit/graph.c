/* Building a graph: names, sticky errors, views, outputs, verification. */
#include <string.h>

#include "graph/graph.h"
#include "support/test.h"

static br_value node(br_graph *graph, const char *name, br_value input)
{
    return br_graph_node(graph, &(br_node_params){
                                    .name = name,
                                    .input_count = 1,
                                    .inputs = {input},
                                    .in_place = -1,
                                    .output_count = 1,
                                    .outputs = {{.dtype = BR_F16, .shape = br_shape_of(1, 13, 7), .state = BR_NONE}},
                                });
}

static void test_names_are_scoped(void **state)
{
    (void)state;
    br_graph graph;
    br_graph_init(&graph);
    br_value x = br_graph_input(&graph, "x", BR_F32, br_shape_of(3));
    br_graph_push(&graph, "unet");
    br_graph_push(&graph, "down.%d", 1);
    br_value y = node(&graph, "to_q", x);
    br_graph_pop(&graph);
    br_value z = node(&graph, "conv_out", y);
    br_graph_pop(&graph);
    assert_string_equal(br_graph_value(&graph, y)->name, "unet/down.1/to_q");
    assert_string_equal(br_graph_value(&graph, z)->name, "unet/conv_out");
    assert_int_equal(graph.scope_length, 0);
    assert_int_equal(br_graph_find(&graph, "unet/down.1/to_q"), y);
    assert_int_equal(br_graph_find(&graph, "nothing"), BR_NONE);
    assert_int_equal(br_graph_bytes(&graph, y), 2 * 13 * 7);
    assert_status_ok(br_graph_verify(&graph));
    br_graph_finish(&graph);
}

static void test_first_error_stays(void **state)
{
    (void)state;
    br_graph graph;
    br_graph_init(&graph);
    br_graph_push(&graph, "unet");
    assert_int_equal(br_graph_input(&graph, "bad", BR_F32, br_shape_of(3, 0)), BR_NONE);
    assert_true(br_graph_failed(&graph));
    assert_int_equal(node(&graph, "after", BR_NONE), BR_NONE);
    br_graph_fail(&graph, BR_ERROR_UNSUPPORTED, "a second error");
    assert_status(br_graph_verify(&graph), BR_ERROR_ARGUMENT, "unet: unet/bad has shape [3, 0]");
    br_graph_finish(&graph);
}

static void test_sizes_do_not_overflow(void **state)
{
    (void)state;
    br_graph graph;
    br_graph_init(&graph);
    br_graph_input(&graph, "huge", BR_F32, br_shape_of((int64_t)1 << 32, (int64_t)1 << 32));
    assert_status(br_graph_verify(&graph), BR_ERROR_ARGUMENT, "at most 2^34 elements");
    br_graph_finish(&graph);
}

static void test_views(void **state)
{
    (void)state;
    br_graph graph;
    br_graph_init(&graph);
    br_value x = br_graph_input(&graph, "x", BR_F32, br_shape_of(2, 3, 5, 7));
    br_value view = br_graph_view(&graph, x, br_shape_of(2, 15, 7)), again = br_graph_view(&graph, view, br_shape_of(210));
    assert_int_equal(br_graph_root(&graph, again), x);
    assert_int_equal(br_graph_view(&graph, x, br_shape_of(211)), BR_NONE);
    assert_status(br_graph_verify(&graph), BR_ERROR_ARGUMENT, "[2, 3, 5, 7] cannot be viewed as [211]");
    br_graph_finish(&graph);
}

static void test_weights_are_shared(void **state)
{
    (void)state;
    br_graph graph;
    br_graph_init(&graph);
    br_graph_push(&graph, "scope");
    br_value a = br_graph_weight(&graph, "conv.weight", BR_F16, br_shape_of(4, 3, 3, 8), BR_WEIGHT_OHWI);
    br_value b = br_graph_weight(&graph, "conv.weight", BR_F16, br_shape_of(4, 3, 3, 8), BR_WEIGHT_OHWI);
    br_value c = br_graph_weight(&graph, "conv.weight", BR_F32, br_shape_of(4, 3, 3, 8), BR_WEIGHT_OHWI);
    assert_int_equal(a, b);
    assert_int_not_equal(a, c);
    assert_string_equal(br_graph_value(&graph, a)->name, "conv.weight");
    br_graph_finish(&graph);
}

static void test_outputs_come_from_nodes(void **state)
{
    (void)state;
    br_graph graph;
    br_graph_init(&graph);
    br_value x = br_graph_input(&graph, "x", BR_F32, br_shape_of(1));
    br_value y = node(&graph, "y", x);
    br_graph_output(&graph, y, "result");
    assert_int_equal(br_graph_value(&graph, y)->kind, BR_VALUE_OUTPUT);
    assert_int_equal(br_graph_find(&graph, "result"), y);
    br_graph_output(&graph, x, "input");
    assert_status(br_graph_verify(&graph), BR_ERROR_ARGUMENT, "cannot be an output");
    br_graph_finish(&graph);
}

static void test_deep_scopes_are_refused(void **state)
{
    (void)state;
    br_graph graph;
    br_graph_init(&graph);
    for (int i = 0; i < 40; i++)
        br_graph_push(&graph, "level%d", i);
    assert_true(br_graph_failed(&graph));
    for (int i = 0; i < 60; i++)
        br_graph_pop(&graph);
    assert_int_equal(graph.scope_length, 0);
    br_graph_finish(&graph);
}

/* first → norm → product → add, of which the device makes the two in the middle at once. */
static void test_nodes_are_merged(void **state)
{
    (void)state;
    br_graph graph;
    br_graph_init(&graph);
    br_value in = br_graph_input(&graph, "in", BR_F16, br_shape_of(1, 13, 7)), x = node(&graph, "first", in);
    br_value gamma = br_graph_input(&graph, "gamma", BR_F32, br_shape_of(7));
    br_value weight = br_graph_weight(&graph, "weight", BR_F16, br_shape_of(7, 7), BR_WEIGHT_PLAIN);
    br_node_params params = {.name = "norm",
                             .input_count = 2,
                             .inputs = {x, gamma},
                             .in_place = -1,
                             .output_count = 1,
                             .outputs = {{BR_F16, br_shape_of(1, 13, 7), BR_NONE}}};
    br_value normed = br_graph_node(&graph, &params);
    params.name = "product";
    params.inputs[0] = br_graph_view(&graph, normed, br_shape_of(13, 7));
    params.inputs[1] = weight;
    br_value product = br_graph_node(&graph, &params), sum = node(&graph, "add", product);
    assert_true(br_graph_reads_alone(&graph, 2, normed));
    assert_false(br_graph_reads_alone(&graph, 3, normed));
    assert_false(br_graph_reads_alone(&graph, 0, in)); /* comes from outside */

    br_graph_merge_previous(&graph, 2, 0);
    assert_int_equal(graph.node_count, 3);
    const br_node *merged = &graph.nodes[1];
    assert_string_equal(merged->name, "product");
    assert_int_equal(merged->input_count, 3);
    assert_int_equal(merged->inputs[0], x);
    assert_int_equal(merged->inputs[1], weight);
    assert_int_equal(merged->inputs[2], gamma);
    assert_int_equal(br_graph_value(&graph, product)->producer, 1);
    assert_int_equal(br_graph_value(&graph, sum)->producer, 2);
    assert_int_equal(br_graph_value(&graph, normed)->producer, -1);
    assert_status_ok(br_graph_verify(&graph));

    br_value more = node(&graph, "more", product);
    assert_false(br_graph_reads_alone(&graph, 2, product));
    br_graph_output(&graph, more, "more");
    node(&graph, "last", more);
    assert_false(br_graph_reads_alone(&graph, 4, more)); /* leaves the program */
    br_graph_finish(&graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_are_scoped),        cmocka_unit_test(test_first_error_stays),
        cmocka_unit_test(test_sizes_do_not_overflow),   cmocka_unit_test(test_views),
        cmocka_unit_test(test_weights_are_shared),      cmocka_unit_test(test_outputs_come_from_nodes),
        cmocka_unit_test(test_deep_scopes_are_refused), cmocka_unit_test(test_nodes_are_merged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
