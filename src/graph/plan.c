#include "graph/plan.h"

#include <stdlib.h>
#include <string.h>

/* Storage that one or several roots share: in-place chains are merged into one block. */
typedef struct plan_block {
    int64_t size, offset;
    int first, last;
} plan_block;

typedef struct plan_work {
    plan_block *blocks;
    int *block_of; /* block of each value, -1 */
    int *order;    /* blocks by falling size */
    int *placed;   /* blocks that already have an offset, by rising offset */
    int block_count;
} plan_work;

static void find_lifetimes(const br_graph *graph, br_plan *plan)
{
    for (int i = 0; i < plan->value_count; i++)
        plan->offsets[i] = plan->first[i] = plan->last[i] = -1;
    for (int n = 0; n < graph->node_count; n++) {
        const br_node *node = &graph->nodes[n];
        for (int i = 0; i < node->output_count; i++) {
            br_value root = br_graph_root(graph, node->outputs[i]);
            if (plan->first[root] < 0)
                plan->first[root] = n;
            plan->last[root] = n;
        }
        for (int i = 0; i < node->input_count; i++)
            if (node->inputs[i] != BR_NONE)
                plan->last[br_graph_root(graph, node->inputs[i])] = n;
    }
}

/* A node may write its result over an input that nobody reads afterwards, when no other input shares that storage. */
static bool may_take_over(const br_graph *graph, const br_plan *plan, int n)
{
    const br_node *node = &graph->nodes[n];
    if (node->in_place < 0 || node->inputs[node->in_place] == BR_NONE)
        return false;
    br_value in = br_graph_root(graph, node->inputs[node->in_place]), out = node->outputs[0];
    if (graph->values[in].kind != BR_VALUE_TEMP || graph->values[out].kind != BR_VALUE_TEMP || plan->last[in] != n ||
        br_graph_bytes(graph, in) != br_graph_bytes(graph, out))
        return false;
    for (int i = 0; i < node->input_count; i++)
        if (i != node->in_place && node->inputs[i] != BR_NONE && br_graph_root(graph, node->inputs[i]) == in)
            return false;
    return true;
}

static void make_blocks(const br_graph *graph, const br_plan *plan, int64_t alignment, plan_work *work)
{
    for (int i = 0; i < plan->value_count; i++)
        work->block_of[i] = -1;
    for (int n = 0; n < graph->node_count; n++) {
        const br_node *node = &graph->nodes[n];
        for (int i = 0; i < node->output_count; i++) {
            br_value out = node->outputs[i];
            if (graph->values[out].kind != BR_VALUE_TEMP)
                continue;
            int block;
            if (i == 0 && may_take_over(graph, plan, n)) {
                block = work->block_of[br_graph_root(graph, node->inputs[node->in_place])];
            } else {
                block = work->block_count++;
                int64_t bytes = br_graph_bytes(graph, out);
                work->blocks[block] =
                    (plan_block){.size = (bytes + alignment - 1) / alignment * alignment, .offset = -1, .first = n};
            }
            work->block_of[out] = block;
            if (plan->last[out] > work->blocks[block].last)
                work->blocks[block].last = plan->last[out];
        }
    }
}

static void sort_by_size(plan_work *work)
{
    /* Insertion keeps blocks of equal size in program order, so plans are the same on every machine. */
    for (int i = 0; i < work->block_count; i++) {
        int at = i;
        while (at > 0 && work->blocks[work->order[at - 1]].size < work->blocks[i].size) {
            work->order[at] = work->order[at - 1];
            at--;
        }
        work->order[at] = i;
    }
}

static int64_t tightest_gap(const plan_work *work, const plan_block *block, int placed_count)
{
    int64_t best = -1, best_waste = INT64_MAX, end = 0;
    for (int i = 0; i < placed_count; i++) {
        const plan_block *other = &work->blocks[work->placed[i]];
        if (other->last < block->first || other->first > block->last)
            continue;
        int64_t gap = other->offset - end;
        if (gap >= block->size && gap - block->size < best_waste) {
            best = end;
            best_waste = gap - block->size;
        }
        if (other->offset + other->size > end)
            end = other->offset + other->size;
    }
    return best >= 0 ? best : end;
}

static void place_blocks(br_plan *plan, plan_work *work)
{
    for (int i = 0; i < work->block_count; i++) {
        int index = work->order[i];
        plan_block *block = &work->blocks[index];
        block->offset = tightest_gap(work, block, i);
        int at = i;
        while (at > 0 && work->blocks[work->placed[at - 1]].offset > block->offset) {
            work->placed[at] = work->placed[at - 1];
            at--;
        }
        work->placed[at] = index;
        if (block->offset + block->size > plan->arena_bytes)
            plan->arena_bytes = block->offset + block->size;
    }
}

static void find_lower_bound(const br_graph *graph, br_plan *plan, const plan_work *work)
{
    for (int n = 0; n < graph->node_count; n++) {
        int64_t alive = 0;
        for (int i = 0; i < work->block_count; i++)
            if (work->blocks[i].first <= n && n <= work->blocks[i].last)
                alive += work->blocks[i].size;
        if (alive > plan->lower_bound_bytes)
            plan->lower_bound_bytes = alive;
    }
}

br_status br_plan_init(const br_graph *graph, int64_t alignment, br_plan *out_plan)
{
    size_t count = (size_t)graph->value_count + 1; /* never zero bytes */
    br_plan plan = {.value_count = graph->value_count,
                    .offsets = malloc(count * sizeof *plan.offsets),
                    .first = malloc(count * sizeof *plan.first),
                    .last = malloc(count * sizeof *plan.last)};
    plan_work work = {.blocks = calloc(count, sizeof *work.blocks),
                      .block_of = malloc(count * sizeof *work.block_of),
                      .order = malloc(count * sizeof *work.order),
                      .placed = malloc(count * sizeof *work.placed)};
    br_status status = NULL;
    if (!plan.offsets || !plan.first || !plan.last || !work.blocks || !work.block_of || !work.order || !work.placed) {
        status = br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory while planning %d values", graph->value_count);
    } else {
        find_lifetimes(graph, &plan);
        make_blocks(graph, &plan, alignment, &work);
        sort_by_size(&work);
        place_blocks(&plan, &work);
        find_lower_bound(graph, &plan, &work);
        for (int i = 0; i < plan.value_count; i++)
            if (work.block_of[i] >= 0)
                plan.offsets[i] = work.blocks[work.block_of[i]].offset;
    }
    free(work.blocks);
    free(work.block_of);
    free(work.order);
    free(work.placed);
    if (status) {
        br_plan_finish(&plan);
        plan = (br_plan){0};
    }
    *out_plan = plan;
    return status;
}

void br_plan_finish(br_plan *plan)
{
    free(plan->offsets);
    free(plan->first);
    free(plan->last);
    *plan = (br_plan){0};
}
