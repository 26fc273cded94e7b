/* Where the weights of a program lie when they do not all fit: every weight is in its place when a dispatch needs it, whatever the pool. Real shapes on
 * pools from the smallest to one that holds everything. */
#include <stdlib.h>

#include "exec/cut.h"
#include "pipeline/budget.h"
#include "pipeline/pipeline.h"
#include "support/test.h"

#define MIB ((uint64_t)1 << 20)

static const br_vk_caps caps = {.type = VK_PHYSICAL_DEVICE_TYPE_OTHER,
                                .max_storage_range = (uint64_t)1 << 30,
                                .max_buffer_size = (uint64_t)1 << 30,
                                .max_groups = {65535, 65535, 65535},
                                .max_group_size = {1024, 1024, 64},
                                .max_invocations = 1024,
                                .max_shared = 32 << 10,
                                .max_push = 128,
                                .max_storage_buffers = 8,
                                .storage_alignment = 256,
                                .subgroup_size = 32,
                                .subgroup_min = 32,
                                .subgroup_max = 32,
                                .f16_storage = true,
                                .unified_memory = true};

static bool overlap(uint64_t a, uint64_t a_bytes, uint64_t b, uint64_t b_bytes)
{
    return a < b + b_bytes && b < a + a_bytes;
}

static void check_chunks(const br_cut *cut, const br_cut_params *params)
{
    uint64_t arena = (uint64_t)params->program->plan.arena_bytes, resident = 0, streamed = 0;
    int last = -1;
    for (int i = 0; i < cut->chunk_count; i++) {
        const br_chunk *chunk = &cut->chunks[i];
        assert_true(chunk->first <= chunk->last && chunk->bytes > 0 && chunk->address % 256 == 0);
        assert_true(chunk->address >= arena && chunk->address + chunk->bytes <= params->pool_bytes);
        assert_true(chunk->address / params->bank_bytes == (chunk->address + chunk->bytes - 1) / params->bank_bytes);
        assert_true(i == 0 || cut->chunks[i - 1].last < chunk->first);
        *(chunk->streamed ? &streamed : &resident) += chunk->bytes;
        for (int j = 0; j < i; j++)
            if (!chunk->streamed || !cut->chunks[j].streamed || j == last)
                assert_false(overlap(chunk->address, chunk->bytes, cut->chunks[j].address, cut->chunks[j].bytes));
        last = chunk->streamed ? i : last;
    }
    assert_int_equal(cut->resident_bytes, resident);
    assert_int_equal(cut->streamed_bytes, streamed);
}

/* No two weights share a byte, and each is in a chunk whose dispatches are all that read it. */
static void check_weights(const br_cut *cut, const br_program *program)
{
    const br_graph *graph = program->graph;
    for (int d = 0; d < program->dispatch_count; d++)
        for (uint32_t i = 0; i < program->dispatches[d].operand_count; i++) {
            br_value root = br_graph_root(graph, program->dispatches[d].operands[i].value);
            if (graph->values[root].kind != BR_VALUE_WEIGHT) {
                assert_int_equal(cut->chunk_of[root], -1);
                continue;
            }
            const br_chunk *chunk = &cut->chunks[cut->chunk_of[root]];
            assert_true(chunk->first <= d && d <= chunk->last);
            assert_true(cut->offset_of[root] + (uint64_t)br_graph_bytes(graph, root) <= chunk->bytes);
        }
    uint64_t sum = 0;
    for (br_value i = 0; i < graph->value_count; i++)
        if (cut->chunk_of[i] >= 0)
            sum += ((uint64_t)br_graph_bytes(graph, i) + 255) / 256 * 256;
    assert_int_equal(sum, cut->resident_bytes + cut->streamed_bytes);
}

/* A segment needs one streamed chunk at the most, and begins where that does. */
static void check_segments(const br_cut *cut, const br_program *program)
{
    assert_int_equal(cut->segments[0], 0);
    assert_int_equal(cut->segments[cut->segment_count], program->dispatch_count);
    for (int s = 0; s < cut->segment_count; s++) {
        int streamed = 0;
        assert_true(cut->segments[s] < cut->segments[s + 1]);
        for (int i = 0; i < cut->chunk_count; i++) {
            const br_chunk *chunk = &cut->chunks[i];
            if (!chunk->streamed || chunk->last < cut->segments[s] || chunk->first >= cut->segments[s + 1])
                continue;
            assert_true(chunk->first >= cut->segments[s] && chunk->last < cut->segments[s + 1]);
            streamed++;
        }
        assert_true(streamed <= 1);
    }
}

static void check_program(const br_program *program)
{
    br_cut_need need;
    br_cut cut;
    uint64_t streamed = UINT64_MAX;
    assert_status_ok(br_cut_find_need(program, &need));
    br_cut_params params = {.program = program, .pool_bytes = need.least, .bank_bytes = need.whole};
    if (need.least < need.whole) {
        params.pool_bytes -= 256;
        assert_status(br_cut_init(&params, &cut), BR_ERROR_OUT_OF_DEVICE_MEMORY, "MiB of weights, expected at most");
    }
    for (int i = 0; i <= 10; i++) {
        params.pool_bytes = need.least + (need.whole - need.least) / 256 * (uint64_t)i / 10 * 256;
        params.pool_bytes = i == 10 ? need.whole : params.pool_bytes;
        assert_status_ok(br_cut_init(&params, &cut));
        check_chunks(&cut, &params);
        check_weights(&cut, program);
        check_segments(&cut, program);
        assert_true(cut.streamed_bytes <= streamed); /* more memory is no loss */
        streamed = cut.streamed_bytes;
        print_message("  %-20s pool %7.1f MiB: %4d segments, %7.1f MiB streamed\n", program->name,
                      (double)params.pool_bytes / (1 << 20), cut.segment_count, (double)cut.streamed_bytes / (1 << 20));
        br_cut_finish(&cut);
    }
    assert_int_equal(streamed, 0);
    /* Two banks: nothing lies in both. */
    params.pool_bytes = need.whole;
    params.bank_bytes = (need.whole / 2 + 255) / 256 * 256;
    if (params.bank_bytes > (uint64_t)program->plan.arena_bytes + need.least) {
        assert_status_ok(br_cut_init(&params, &cut));
        check_chunks(&cut, &params);
        check_segments(&cut, program);
        br_cut_finish(&cut);
    }
}

static br_model *open_architecture(const char *name, br_pipeline_dtypes *out_dtypes)
{
    const br_log silent = {0};
    br_model *model;
    assert_status_ok(br_model_load_architecture(name, &silent, &model));
    assert_status_ok(br_pipeline_choose_dtypes(model, &caps, BR_PRECISION_AUTO, out_dtypes));
    return model;
}

static void test_pools(void **state)
{
    (void)state;
    br_pipeline_dtypes dtypes;
    br_pipeline_programs programs;
    br_model *model = open_architecture("sd15", &dtypes);
    assert_status_ok(br_pipeline_plan(
        model, &caps, &dtypes, &(br_picture_size){.height = 8, .width = 8, .batch = 1, .copies = 2, .encodes = true}, &programs));
    check_program(programs.text[BR_COMPONENT_TEXT]);
    check_program(programs.denoise);
    check_program(programs.decode);
    check_program(programs.encode);
    br_pipeline_programs_finish(&programs);
    br_model_unload(model);
}

/* The project's goals: these sizes within these budgets, all programs in one pool. */
static void test_goals(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int side;
        uint64_t bytes;
    } goals[] = {{"sd15", 64, 512 * MIB}, {"sdxl", 128, 2048 * MIB}};
    for (int i = 0; i < 2; i++) {
        br_pipeline_dtypes dtypes;
        br_pipeline_programs programs;
        br_budget budget;
        br_picture_size size = {.height = goals[i].side, .width = goals[i].side, .batch = 1, .copies = 2};
        br_model *model = open_architecture(goals[i].name, &dtypes);
        br_budget_params params = {.model = model, .caps = &caps, .dtypes = &dtypes, .bytes = goals[i].bytes};
        assert_status_ok(br_budget_plan(&params, &size, &budget, &programs));
        assert_false(budget.whole);
        assert_true(budget.pool_bytes < goals[i].bytes && budget.least_bytes <= goals[i].bytes);
        print_message("  %s: %.1f MiB would do, tiles of %d latent pixels\n", goals[i].name, (double)budget.least_bytes / (1 << 20),
                      size.decode_tile);
        br_pipeline_programs_finish(&programs);
        params.bytes = budget.least_bytes - 1;
        assert_status(br_budget_plan(&params, &size, &budget, &programs), BR_ERROR_OUT_OF_DEVICE_MEMORY, "expected at least");
        br_model_unload(model);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_pools), cmocka_unit_test(test_goals)};
    return cmocka_run_group_tests_name("cut", tests, NULL, NULL);
}
