#include "graph/plan.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* Storage that one or several roots share: in-place chains are merged into one block. */
typedef struct plan_block {
    int64_t size, offset;
    int first, last;
    int narrows;  /* after this node only the first `rest` bytes are in use; INT_MAX: never */
    int64_t rest; /* of `size`; all of it where it never narrows */
} plan_block;

typedef struct plan_work {
    plan_block *blocks;
    int *block_of;   /* block of each value, -1 */
    int64_t *behind; /* bytes from the beginning of its block to each value */
    int *order;      /* blocks as they are placed */
    int *placed;     /* blocks that already have an offset, by rising offset */
    int block_count;
    int64_t alignment;
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

static int64_t align_up(const plan_work *work, int64_t bytes)
{
    return (bytes + work->alignment - 1) / work->alignment * work->alignment;
}

/* A node may write its result over an input that nobody reads afterwards, when no other input shares that storage. */
static bool may_take_over(const br_graph *graph, const br_plan *plan, int n)
{
    const br_node *node = &graph->nodes[n];
    if (node->in_place < 0 || node->inputs[node->in_place] == BR_NONE)
        return false;
    br_value in = br_graph_root(graph, node->inputs[node->in_place]), out = node->outputs[0];
    int64_t in_bytes = br_graph_bytes(graph, in), out_bytes = br_graph_bytes(graph, out);
    bool fits = node->in_place_lead > 0 ? out_bytes <= in_bytes : out_bytes == in_bytes;
    if (graph->values[in].kind != BR_VALUE_TEMP || graph->values[out].kind != BR_VALUE_TEMP || plan->last[in] != n || !fits)
        return false;
    for (int i = 0; i < node->input_count; i++)
        if (i != node->in_place && node->inputs[i] != BR_NONE && br_graph_root(graph, node->inputs[i]) == in)
            return false;
    return true;
}

/* The block that the result of node n takes over, or -1. A block narrows once. */
static int block_taken_over(const br_graph *graph, const br_plan *plan, const plan_work *work, int n)
{
    const br_node *node = &graph->nodes[n];
    if (!may_take_over(graph, plan, n))
        return -1;
    int block = work->block_of[br_graph_root(graph, node->inputs[node->in_place])];
    return node->in_place_lead > 0 && work->blocks[block].narrows != INT_MAX ? -1 : block;
}

/* Makes room for the lead before what lies in the block, which node n replaces by `out`. */
static void narrow(const br_graph *graph, int n, br_value out, plan_work *work, int block)
{
    int64_t lead = align_up(work, graph->nodes[n].in_place_lead);
    for (br_value i = 0; i < graph->value_count; i++)
        if (work->block_of[i] == block)
            work->behind[i] += lead;
    work->blocks[block].size += lead;
    work->blocks[block].narrows = n;
    work->blocks[block].rest = align_up(work, br_graph_bytes(graph, out));
}

static void make_blocks(const br_graph *graph, const br_plan *plan, plan_work *work)
{
    for (int i = 0; i < plan->value_count; i++)
        work->block_of[i] = -1;
    for (int n = 0; n < graph->node_count; n++) {
        const br_node *node = &graph->nodes[n];
        for (int i = 0; i < node->output_count; i++) {
            br_value out = node->outputs[i];
            if (graph->values[out].kind != BR_VALUE_TEMP)
                continue;
            int block = i == 0 ? block_taken_over(graph, plan, work, n) : -1;
            if (block < 0) {
                block = work->block_count++;
                int64_t size = align_up(work, br_graph_bytes(graph, out));
                work->blocks[block] = (plan_block){.size = size, .offset = -1, .first = n, .narrows = INT_MAX, .rest = size};
            } else if (node->in_place_lead > 0) {
                narrow(graph, n, out, work, block);
            }
            work->block_of[out] = block;
            if (plan->last[out] > work->blocks[block].last)
                work->blocks[block].last = plan->last[out];
        }
    }
}

/* Two orders in which blocks are placed, neither of which is the better one for all programs; from them better ones are looked for, so many times. */
#define PROMOTIONS_MAX 64

static bool larger_first(const plan_block *a, const plan_block *b)
{
    return a->size > b->size;
}

/* By what they are in the end; of equal ones the longest-lived, so that the others come and go beside it. */
static bool longer_first(const plan_block *a, const plan_block *b)
{
    return a->rest != b->rest ? a->rest > b->rest : a->last - a->first > b->last - b->first;
}

static void sort_blocks(plan_work *work, bool (*goes_before)(const plan_block *a, const plan_block *b))
{
    /* Insertion keeps blocks of equal rank in program order, so plans are the same on every machine. */
    for (int i = 0; i < work->block_count; i++) {
        int at = i;
        while (at > 0 && goes_before(&work->blocks[i], &work->blocks[work->order[at - 1]])) {
            work->order[at] = work->order[at - 1];
            at--;
        }
        work->order[at] = i;
    }
}

/* Bytes of a block that are in use at node n or after it. */
static int64_t size_from(const plan_block *block, int n)
{
    return n > block->narrows ? block->rest : block->size;
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
        if (other->offset + size_from(other, block->first) > end)
            end = other->offset + size_from(other, block->first);
    }
    return best >= 0 ? best : end;
}

/* Returns the bytes of the arena. */
static int64_t place_blocks(plan_work *work)
{
    int64_t arena_bytes = 0;
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
        if (block->offset + block->size > arena_bytes)
            arena_bytes = block->offset + block->size;
    }
    return arena_bytes;
}

/* Every value where this order puts it, unless there is a plan already that takes no more. */
static void place_values(br_plan *plan, plan_work *work)
{
    int64_t arena_bytes = place_blocks(work);
    if (plan->arena_bytes > 0 && plan->arena_bytes <= arena_bytes)
        return;
    plan->arena_bytes = arena_bytes;
    for (int i = 0; i < plan->value_count; i++)
        if (work->block_of[i] >= 0)
            plan->offsets[i] = work->blocks[work->block_of[i]].offset + work->behind[i];
}

/* Lets the block that ends last be placed first. */
static void promote_last(plan_work *work)
{
    int last = 0;
    int64_t end = 0;
    for (int i = 0; i < work->block_count; i++) {
        const plan_block *block = &work->blocks[work->order[i]];
        if (block->offset + block->size > end) {
            end = block->offset + block->size;
            last = i;
        }
    }
    int index = work->order[last];
    memmove(work->order + 1, work->order, (size_t)last * sizeof *work->order);
    work->order[0] = index;
}

/* From one order on, until the plan takes as little as any can. */
static void place_from(bool (*goes_before)(const plan_block *a, const plan_block *b), br_plan *plan, plan_work *work)
{
    sort_blocks(work, goes_before);
    place_values(plan, work);
    for (int i = 0; i < PROMOTIONS_MAX && plan->arena_bytes > plan->lower_bound_bytes; i++) {
        promote_last(work);
        place_values(plan, work);
    }
}

static void find_lower_bound(const br_graph *graph, br_plan *plan, const plan_work *work)
{
    for (int n = 0; n < graph->node_count; n++) {
        int64_t alive = 0;
        for (int i = 0; i < work->block_count; i++)
            if (work->blocks[i].first <= n && n <= work->blocks[i].last)
                alive += size_from(&work->blocks[i], n);
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
                      .behind = calloc(count, sizeof *work.behind),
                      .order = malloc(count * sizeof *work.order),
                      .placed = malloc(count * sizeof *work.placed),
                      .alignment = alignment};
    br_status status = NULL;
    if (!plan.offsets || !plan.first || !plan.last || !work.blocks || !work.block_of || !work.behind || !work.order ||
        !work.placed) {
        status = br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory while planning %d values", graph->value_count);
    } else {
        find_lifetimes(graph, &plan);
        make_blocks(graph, &plan, &work);
        find_lower_bound(graph, &plan, &work);
        place_from(larger_first, &plan, &work);
        if (plan.arena_bytes > plan.lower_bound_bytes)
            place_from(longer_first, &plan, &work);
    }
    free(work.blocks);
    free(work.block_of);
    free(work.behind);
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
