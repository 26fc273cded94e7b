/* The storage plan: no two values that are alive together share a byte, whatever the graph. */
#include <stdlib.h>
#include <string.h>

#include "graph/plan.h"
#include "support/test.h"

#define ALIGNMENT 64

/* splitmix64: the same graphs on every machine. */
static uint64_t next(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static br_value narrowing_node(br_graph *graph, int64_t size, int in_place, int64_t lead, br_value a, br_value b)
{
    return br_graph_node(graph, &(br_node_params){
                                    .name = "n",
                                    .input_count = 2,
                                    .inputs = {a, b},
                                    .in_place = in_place,
                                    .in_place_lead = lead,
                                    .output_count = 1,
                                    .outputs = {{.dtype = BR_F32, .shape = br_shape_of(size), .state = BR_NONE}},
                                });
}

static br_value node(br_graph *graph, int64_t size, int in_place, br_value a, br_value b)
{
    return narrowing_node(graph, size, in_place, 0, a, b);
}

static bool overlap(int64_t a, int64_t a_bytes, int64_t b, int64_t b_bytes)
{
    return a < b + b_bytes && b < a + a_bytes;
}

/* In-place: the output of node n may lie exactly where an input that dies at n lies, or its lead before that. */
static bool taken_over(const br_graph *graph, const br_plan *plan, int dies, int born)
{
    for (int n = 0; n < graph->node_count; n++) {
        const br_node *it = &graph->nodes[n];
        if (it->outputs[0] != born || it->in_place < 0 || it->inputs[it->in_place] != dies || plan->last[dies] != n)
            continue;
        if (it->in_place_lead == 0)
            return plan->offsets[born] == plan->offsets[dies];
        return plan->offsets[born] + it->in_place_lead <= plan->offsets[dies] &&
               br_graph_bytes(graph, born) <= br_graph_bytes(graph, dies);
    }
    return false;
}

static void check_plan(const br_graph *graph, const br_plan *plan)
{
    assert_true(plan->arena_bytes >= plan->lower_bound_bytes);
    for (int i = 0; i < graph->value_count; i++) {
        if (plan->offsets[i] < 0)
            continue;
        assert_int_equal(plan->offsets[i] % ALIGNMENT, 0);
        assert_true(plan->offsets[i] + br_graph_bytes(graph, i) <= plan->arena_bytes);
        for (int j = 0; j < i; j++) {
            if (plan->offsets[j] < 0 || plan->last[j] < plan->first[i] || plan->last[i] < plan->first[j])
                continue;
            if (taken_over(graph, plan, j, i) || taken_over(graph, plan, i, j))
                continue;
            assert_false(overlap(plan->offsets[i], br_graph_bytes(graph, i), plan->offsets[j], br_graph_bytes(graph, j)));
        }
    }
}

static void test_random_graphs(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        uint64_t random = seed;
        br_graph graph;
        br_graph_init(&graph);
        br_value values[90] = {br_graph_input(&graph, "in", BR_F32, br_shape_of(13))};
        int count = 1, nodes = 1 + (int)(next(&random) % 88);
        for (int n = 0; n < nodes; n++) {
            br_value a = values[next(&random) % (uint64_t)count], b = values[next(&random) % (uint64_t)count];
            int64_t size = next(&random) % 3 ? br_shape_count(br_graph_shape(&graph, a)) : 1 + (int64_t)(next(&random) % 5000);
            int64_t lead = next(&random) % 3 ? 0 : 1 + (int64_t)(next(&random) % 500);
            values[count++] = narrowing_node(&graph, size, next(&random) % 2 ? 0 : -1, lead, a, next(&random) % 4 ? b : BR_NONE);
        }
        br_graph_output(&graph, values[count - 1], "out");
        assert_status_ok(br_graph_verify(&graph));
        br_plan plan;
        assert_status_ok(br_plan_init(&graph, ALIGNMENT, &plan));
        check_plan(&graph, &plan);
        br_plan_finish(&plan);
        br_graph_finish(&graph);
    }
}

/* A chain of equal values needs two buffers, or one when every node works in place. */
static void test_chain(void **state)
{
    (void)state;
    for (int in_place = 0; in_place < 2; in_place++) {
        br_graph graph;
        br_graph_init(&graph);
        br_value x = br_graph_input(&graph, "in", BR_F32, br_shape_of(113));
        for (int i = 0; i < 20; i++)
            x = node(&graph, 113, in_place ? 0 : -1, x, BR_NONE);
        br_plan plan;
        assert_status_ok(br_graph_verify(&graph));
        assert_status_ok(br_plan_init(&graph, ALIGNMENT, &plan));
        assert_int_equal(plan.arena_bytes, (in_place ? 1 : 2) * 512); /* 452 bytes, rounded up */
        br_plan_finish(&plan);
        br_graph_finish(&graph);
    }
}

/* An input that is read again later, or twice by the node itself, is not written over. */
static void test_in_place_is_refused_when_read_again(void **state)
{
    (void)state;
    br_graph graph;
    br_graph_init(&graph);
    br_value x = node(&graph, 16, -1, br_graph_input(&graph, "in", BR_F32, br_shape_of(16)), BR_NONE);
    br_value y = node(&graph, 16, 0, x, BR_NONE);
    br_value z = node(&graph, 16, 0, y, y);
    br_value w = node(&graph, 16, -1, x, z);
    br_graph_output(&graph, w, "out");
    br_plan plan;
    assert_status_ok(br_graph_verify(&graph));
    assert_status_ok(br_plan_init(&graph, ALIGNMENT, &plan));
    assert_int_not_equal(plan.offsets[y], plan.offsets[x]);
    assert_int_not_equal(plan.offsets[z], plan.offsets[y]);
    check_plan(&graph, &plan);
    br_plan_finish(&plan);
    br_graph_finish(&graph);
}

/* A smaller result before the input that it takes over: 4 KiB and a lead of 100 bytes, rounded up; 1 KiB after that, so that a neighbour of 2 KiB fits behind it. What
 * lies where the input lay before, because it was made in place, lies behind the lead, too. A result that is larger, or as large with no lead, is placed apart. */
static void test_narrowing(void **state)
{
    (void)state;
    br_graph graph;
    br_graph_init(&graph);
    br_value in = br_graph_input(&graph, "in", BR_F32, br_shape_of(4));
    br_value first = node(&graph, 1024, -1, in, BR_NONE);
    br_value x = node(&graph, 1024, 0, first, BR_NONE);
    br_value y = narrowing_node(&graph, 256, 0, 100, x, BR_NONE);
    br_value z = node(&graph, 512, -1, y, BR_NONE);
    br_value again = narrowing_node(&graph, 128, 0, 100, y, z);
    br_value larger = narrowing_node(&graph, 129, 0, 100, again, BR_NONE);
    br_graph_output(&graph, node(&graph, 1, -1, larger, BR_NONE), "out");
    br_plan plan;
    assert_status_ok(br_graph_verify(&graph));
    assert_status_ok(br_plan_init(&graph, ALIGNMENT, &plan));
    assert_int_equal(plan.offsets[first], 128);
    assert_int_equal(plan.offsets[x], 128);
    assert_int_equal(plan.offsets[y], 0);
    assert_int_equal(plan.offsets[z], 1024);
    assert_int_equal(plan.offsets[again], 1024 + 2048); /* a block narrows once */
    assert_false(overlap(plan.offsets[larger], 4 * 129, plan.offsets[again], 4 * 128));
    assert_int_equal(plan.arena_bytes, 4096 + 128);
    assert_int_equal(plan.lower_bound_bytes, 4096 + 128);
    check_plan(&graph, &plan);
    br_plan_finish(&plan);
    br_graph_finish(&graph);
}

/* Placed by their sizes, x and its lead at the bottom and what stays behind them, the smallest does not fit before that any more. Placed by their lives, all do. */
static void test_long_lives_first(void **state)
{
    (void)state;
    br_graph graph;
    br_graph_init(&graph);
    br_value in = br_graph_input(&graph, "in", BR_F32, br_shape_of(4));
    br_value x = node(&graph, 512, -1, in, BR_NONE);
    br_value stays = node(&graph, 256, -1, x, BR_NONE);
    br_value y = narrowing_node(&graph, 256, 0, 64, x, BR_NONE);
    br_value z = node(&graph, 256, -1, y, stays);
    br_value w = node(&graph, 256, -1, z, stays);
    br_value v = node(&graph, 64, -1, w, z);
    br_graph_output(&graph, node(&graph, 1, -1, v, stays), "out");
    br_plan plan;
    assert_status_ok(br_graph_verify(&graph));
    assert_status_ok(br_plan_init(&graph, ALIGNMENT, &plan));
    assert_int_equal(plan.arena_bytes, plan.lower_bound_bytes);
    assert_int_equal(plan.arena_bytes, 3 * 1024 + 256);
    check_plan(&graph, &plan);
    br_plan_finish(&plan);
    br_graph_finish(&graph);
}

/* A view keeps the storage of what it views alive. */
static void test_view_extends_life(void **state)
{
    (void)state;
    br_graph graph;
    br_graph_init(&graph);
    br_value in = br_graph_input(&graph, "in", BR_F32, br_shape_of(4));
    br_value x = node(&graph, 16, -1, in, BR_NONE);
    br_value view = br_graph_view(&graph, x, br_shape_of(4, 4));
    br_value y = node(&graph, 16, -1, in, BR_NONE);
    br_value z = node(&graph, 16, -1, view, y);
    br_graph_output(&graph, z, "out");
    br_plan plan;
    assert_status_ok(br_graph_verify(&graph));
    assert_status_ok(br_plan_init(&graph, ALIGNMENT, &plan));
    assert_int_equal(plan.last[x], 2);
    assert_int_not_equal(plan.offsets[x], plan.offsets[y]);
    br_plan_finish(&plan);
    br_graph_finish(&graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_graphs),
        cmocka_unit_test(test_chain),
        cmocka_unit_test(test_in_place_is_refused_when_read_again),
        cmocka_unit_test(test_view_extends_life),
        cmocka_unit_test(test_narrowing),
        cmocka_unit_test(test_long_lives_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
