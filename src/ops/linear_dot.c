#include "ops/linear_dot.h"

#include <string.h>

#include "ops/linear_pack.h"
#include "ops/slice.h"

/* x and the matrix are a linear node's first inputs, and these its last where an earlier node has packed the same x. */
enum { INPUT_X, INPUT_WEIGHT, INPUT_Q = BR_NODE_INPUT_MAX - 2, INPUT_SCALES };
/* The outputs of a node that packs x itself. */
enum { OUTPUT_Q = 1, OUTPUT_SCALES, OUTPUT_COUNT };

#define BLOCK 32
#define PACK_THREADS 128
/* Size, largest, product, sum and rounding of each number. */
#define PACK_FLOPS 4
/* Bindings of linear.comp with x_scales. */
#define BUFFERS 6

static bool suits(br_dtype dtype)
{
    switch (dtype) {
    case BR_Q4_0:
    case BR_Q4_1:
    case BR_Q5_0:
    case BR_Q5_1:
    case BR_Q8_0:
    case BR_Q4_K:
    case BR_Q5_K:
        return true;
    default:
        return false; /* without blocks, or with scales for 16 */
    }
}

br_linear_packed br_linear_dot_packed(const br_node *node)
{
    if (node->output_count == OUTPUT_COUNT)
        return (br_linear_packed){node->outputs[OUTPUT_Q], node->outputs[OUTPUT_SCALES]};
    if (node->input_count > INPUT_SCALES)
        return (br_linear_packed){node->inputs[INPUT_Q], node->inputs[INPUT_SCALES]};
    return (br_linear_packed){BR_NONE, BR_NONE};
}

/* An earlier linear node with the same x in the same rows has packed it. States are overwritten between nodes. */
static bool find_packed(const br_graph *graph, int node, br_linear_packed *out_packed)
{
    br_value x = graph->nodes[node].inputs[INPUT_X], root = br_graph_root(graph, x);
    if (br_graph_value(graph, root)->kind == BR_VALUE_STATE)
        return false;
    for (int i = node - 1; i >= 0; i--) {
        const br_node *other = &graph->nodes[i];
        if (other->op != BR_OP_linear || br_graph_root(graph, other->inputs[INPUT_X]) != root ||
            br_shape_last(br_graph_shape(graph, other->inputs[INPUT_X])) != br_shape_last(br_graph_shape(graph, x)))
            continue;
        *out_packed = br_linear_dot_packed(other);
        if (out_packed->q != BR_NONE)
            return true;
    }
    return false;
}

/* The stage that packs x. */
static br_status emit_pack(br_emitter *emitter, const br_node *node)
{
    br_value x = node->inputs[INPUT_X];
    br_shape shape = br_graph_shape(emitter->graph, x);
    uint64_t k = (uint64_t)br_shape_last(shape);
    br_linear_packed packed = br_linear_dot_packed(node);
    const br_slices_operand operands[] = {[BR_LINEAR_PACK_X] = {x, k, BR_VK_READ},
                                          [BR_LINEAR_PACK_Q] = {packed.q, k / 4, BR_VK_WRITE},
                                          [BR_LINEAR_PACK_SCALES] = {packed.scales, k / BLOCK * 2, BR_VK_WRITE}};
    br_slices slices;
    br_slices_begin(&slices, emitter, (uint64_t)br_shape_rows(shape), operands, BR_LINEAR_PACK_BINDINGS);
    while (br_slices_next(&slices)) {
        br_linear_pack_push push = {.quads = (uint32_t)(slices.count * k / 4),
                                    .x_first = slices.piece[BR_LINEAR_PACK_X].skip / 4,
                                    .q_first = slices.piece[BR_LINEAR_PACK_Q].skip,
                                    .scales_first = slices.piece[BR_LINEAR_PACK_SCALES].skip / 2};
        bool f16 = br_graph_dtype(emitter->graph, x) == BR_F16;
        br_op_dispatch dispatch = {.shader = f16 ? BR_SHADER_LINEAR_PACK_F16 : BR_SHADER_LINEAR_PACK_F32,
                                   .spec_count = 1,
                                   .spec = {PACK_THREADS},
                                   .push_size = sizeof push,
                                   .operand_count = BR_LINEAR_PACK_BINDINGS,
                                   .flops = PACK_FLOPS * slices.count * k};
        for (int i = 0; i < BR_LINEAR_PACK_BINDINGS; i++)
            dispatch.operands[i] = slices.piece[i].operand;
        memcpy(dispatch.push, &push, sizeof push);
        br_emit_fold(emitter, (push.quads + PACK_THREADS - 1) / PACK_THREADS, dispatch.groups);
        BR_TRY(br_emit_dispatch(emitter, &dispatch));
    }
    return NULL;
}

br_status br_linear_dot_pack(br_emitter *emitter, int64_t rows_min)
{
    const br_vk_caps *caps = emitter->caps;
    br_node *node = &emitter->graph->nodes[emitter->node];
    br_value x = node->inputs[INPUT_X], weight = node->inputs[INPUT_WEIGHT];
    int64_t m = br_shape_rows(br_graph_shape(emitter->graph, x)), k = br_shape_last(br_graph_shape(emitter->graph, x));
    bool chosen = caps->integer_dot && br_vk_chosen(caps->tuned.dot, caps->integer_dot_fast);
    if (!chosen || caps->max_storage_buffers < BUFFERS || m <= rows_min || !suits(br_graph_dtype(emitter->graph, weight)))
        return NULL;
    br_linear_packed packed;
    if (!find_packed(emitter->graph, emitter->node, &packed)) {
        BR_TRY(br_emit_scratch(emitter, "q", BR_I32, br_shape_of(m, k / 4), &packed.q));
        BR_TRY(br_emit_scratch(emitter, "scales", BR_F32, br_shape_of(m, k / BLOCK * 2), &packed.scales));
        return emit_pack(emitter, node);
    }
    while (node->input_count < INPUT_Q)
        node->inputs[node->input_count++] = BR_NONE;
    node->inputs[node->input_count++] = packed.q;
    node->inputs[node->input_count++] = packed.scales;
    return NULL;
}

/* Workgroups for which a larger tile pays, as in gemm.c. */
#define LARGE_MIN_GROUPS 128
#define MEDIUM_MIN_GROUPS 48

static uint64_t groups(br_gemm_tile tile, uint64_t m, uint64_t n)
{
    uint64_t tile_m = br_gemm_tile_m(tile), tile_n = br_gemm_tile_n(tile);
    return (m + tile_m - 1) / tile_m * ((n + tile_n - 1) / tile_n);
}

static br_gemm_tile choose(const br_vk_caps *caps, uint64_t m, uint64_t n)
{
    /* An invocation holds the packed blocks of all its rows, 8 registers each, so tiles grow along n first. */
    const br_gemm_tile large = {.threads = 128, .threads_n = 8, .rows = 8, .columns = 8, .quads = 1};  /* 128 × 64, 11 KiB */
    const br_gemm_tile medium = {.threads = 128, .threads_n = 8, .rows = 4, .columns = 8, .quads = 1}; /* 64 × 64, 7 KiB */
    const br_gemm_tile small = {.threads = 64, .threads_n = 8, .rows = 4, .columns = 4, .quads = 2};   /* 32 × 32, 6 KiB */
    const br_gemm_tile flat = {.threads = 128, .threads_n = 8, .rows = 2, .columns = 4, .quads = 1};   /* 32 × 32, 4 KiB */
    if (br_gemm_wants_small_tiles(caps)) /* PanVK spills 13 values of `small` and 5 of its half the other way round */
        return flat;
    if (caps->type == VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU && groups(large, m, n) >= LARGE_MIN_GROUPS)
        return large;
    return groups(medium, m, n) >= MEDIUM_MIN_GROUPS ? medium : small;
}

br_gemm_tile br_linear_dot_tile(const br_vk_caps *caps, uint64_t m, uint64_t n)
{
    br_gemm_tile tile = choose(caps, m, n);
    tile.parts = 1;
    return tile;
}
