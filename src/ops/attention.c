#include <math.h>
#include <string.h>

#include "ops/attention.h"
#include "ops/gemm.h"
#include "ops/slice.h"

#define LOG2_E 1.44269504088896340736

typedef struct attention_attrs {
    int heads;
    float scale;
    bool causal;
} attention_attrs;

/* How a workgroup covers the output. */
typedef struct attention_tile {
    uint32_t threads, rows;
    uint32_t columns; /* that one quad of sums of an invocation stands for over the workgroup */
} attention_tile;

/* Quads of sums a row at the most: with more an invocation's sums no longer fit in registers. Wider heads are split among workgroups. */
#define QUADS_MAX 4

/* attention.comp: its shared memory, 16,000 bytes, is made for these 128 invocations. */
static const attention_tile gpu_tile = {.threads = 128, .rows = 32, .columns = 64};
/* attention_lanes.comp. */
#define LANES_ROWS 16

br_value br_op_attention(br_graph *graph, const char *name, const br_attention_params *params)
{
    if (params->q == BR_NONE || params->k == BR_NONE || params->v == BR_NONE || br_graph_failed(graph))
        return BR_NONE;
    br_shape q = br_graph_shape(graph, params->q), k = br_graph_shape(graph, params->k), v = br_graph_shape(graph, params->v);
    if (q.rank != 3)
        return br_graph_fail(graph, BR_ERROR_ARGUMENT, "%s: attention q is %s, expected [B, T, D]", name, br_shape_format(q).text);
    if (k.rank != 3 || k.dim[0] != q.dim[0] || k.dim[2] != q.dim[2])
        return br_graph_fail(graph, BR_ERROR_ARGUMENT, "%s: attention k is %s, expected [%lld, T, %lld]", name,
                             br_shape_format(k).text, (long long)q.dim[0], (long long)q.dim[2]);
    if (!br_shape_equal(v, k))
        return br_graph_fail(graph, BR_ERROR_ARGUMENT, "%s: attention v is %s, expected k's %s", name, br_shape_format(v).text,
                             br_shape_format(k).text);
    br_dtype dtype = br_graph_dtype(graph, params->q);
    if ((dtype != BR_F32 && dtype != BR_F16) || br_graph_dtype(graph, params->k) != dtype ||
        br_graph_dtype(graph, params->v) != dtype)
        return br_graph_fail(graph, BR_ERROR_ARGUMENT, "%s: attention takes one of f32 and f16, q is %s, k %s and v %s", name,
                             br_dtype_name(dtype), br_dtype_name(br_graph_dtype(graph, params->k)),
                             br_dtype_name(br_graph_dtype(graph, params->v)));
    if (params->heads < 1 || q.dim[2] % params->heads)
        return br_graph_fail(graph, BR_ERROR_ARGUMENT, "%s: attention has %d heads, expected a divisor of D = %lld", name,
                             params->heads, (long long)q.dim[2]);
    if (params->causal && q.dim[1] != k.dim[1])
        return br_graph_fail(graph, BR_ERROR_ARGUMENT, "%s: causal attention has %lld queries and %lld keys, expected as many",
                             name, (long long)q.dim[1], (long long)k.dim[1]);
    float scale = params->scale != 0 ? params->scale : (float)(1 / sqrt((double)(q.dim[2] / params->heads)));
    attention_attrs attrs = {params->heads, scale, params->causal};
    return br_graph_node(graph, &(br_node_params){
                                    .op = BR_OP_attention,
                                    .name = name,
                                    .input_count = 3,
                                    .inputs = {params->q, params->k, params->v},
                                    .attrs = &attrs,
                                    .attrs_size = sizeof attrs,
                                    .in_place = -1,
                                    .output_count = 1,
                                    .outputs = {{dtype, q, BR_NONE}},
                                });
}

/* Some rows of one picture, or all rows of several. */
typedef struct attention_piece {
    uint64_t picture, pictures, row, rows;
} attention_piece;

static uint64_t flops(const attention_attrs *attrs, attention_piece piece, uint64_t keys, uint64_t width)
{
    uint64_t pairs = piece.rows * keys;
    if (attrs->causal)
        pairs = piece.rows * piece.row + piece.rows * (piece.rows + 1) / 2;
    /* Two products of the head's width, and of the softmax: scale, maximum, difference, exponential, sum. */
    return piece.pictures * pairs * (4 * width + 5 * (uint64_t)attrs->heads);
}

static br_status emit_piece(br_emitter *emitter, const br_node *node, attention_piece piece)
{
    const attention_attrs *attrs = node->attrs;
    const br_graph *graph = emitter->graph;
    br_shape q_shape = br_graph_shape(graph, node->inputs[0]), k_shape = br_graph_shape(graph, node->inputs[1]);
    uint64_t width = (uint64_t)q_shape.dim[2], queries = (uint64_t)q_shape.dim[1], keys = (uint64_t)k_shape.dim[1];
    uint64_t q_begin = (piece.picture * queries + piece.row) * width, q_count = piece.pictures * piece.rows * width;
    uint64_t k_begin = piece.picture * keys * width, k_count = piece.pictures * keys * width;
    br_slice q = br_slice_make(emitter, node->inputs[0], q_begin, q_count, BR_VK_READ);
    br_slice k = br_slice_make(emitter, node->inputs[1], k_begin, k_count, BR_VK_READ);
    br_slice v = br_slice_make(emitter, node->inputs[2], k_begin, k_count, BR_VK_READ);
    br_slice y = br_slice_make(emitter, node->outputs[0], q_begin, q_count, BR_VK_WRITE);

    uint32_t head_width = (uint32_t)width / (uint32_t)attrs->heads;
    bool vec = head_width % 4 == 0 && q.skip % 4 == 0 && k.skip % 4 == 0 && v.skip % 4 == 0 && y.skip % 4 == 0;
    bool lanes = br_gemm_has_lanes(emitter->caps) && emitter->caps->subgroup_size <= LANES_ROWS;
    uint32_t size = emitter->caps->subgroup_size;
    attention_tile tile = lanes ? (attention_tile){size, LANES_ROWS, 4 * size} : gpu_tile;
    uint32_t column_blocks = (head_width + tile.columns - 1) / tile.columns;
    uint32_t quads_max = br_gemm_few_registers(emitter->caps) ? 1 : QUADS_MAX;
    uint32_t quads = column_blocks < quads_max ? column_blocks : quads_max;
    uint32_t parts = (column_blocks + quads - 1) / quads;
    uint32_t row_blocks = (uint32_t)((piece.rows + tile.rows - 1) / tile.rows);

    br_attention_push push = {
        .total = row_blocks * parts * (uint32_t)attrs->heads * (uint32_t)piece.pictures,
        .row_blocks = row_blocks,
        .parts = parts,
        .heads = (uint32_t)attrs->heads,
        .rows = (uint32_t)piece.rows,
        .first_row = (uint32_t)piece.row,
        .keys = (uint32_t)keys,
        .head_width = head_width,
        .width = (uint32_t)width,
        .scale = (float)(attrs->scale * LOG2_E),
        .q_first = q.skip,
        .k_first = k.skip,
        .v_first = v.skip,
        .y_first = y.skip,
    };
    static const br_shader_id ids[2][2] = {{BR_SHADER_ATTENTION_F32, BR_SHADER_ATTENTION_F16},
                                           {BR_SHADER_ATTENTION_LANES_F32, BR_SHADER_ATTENTION_LANES_F16}};
    br_op_dispatch dispatch = {
        .shader = ids[lanes][br_graph_dtype(graph, node->outputs[0]) == BR_F16],
        .spec_count = 4,
        .spec = {tile.threads, quads, vec, attrs->causal},
        .push_size = sizeof push,
        .operand_count = BR_ATTENTION_BINDINGS,
        .operands = {q.operand, k.operand, v.operand, y.operand},
        .flops = flops(attrs, piece, keys, width),
    };
    memcpy(dispatch.push, &push, sizeof push);
    br_emit_fold(emitter, push.total, dispatch.groups);
    return br_emit_dispatch(emitter, &dispatch);
}

br_status br_emit_attention(br_emitter *emitter, const br_node *node)
{
    br_shape q = br_graph_shape(emitter->graph, node->inputs[0]);
    uint64_t pictures = (uint64_t)q.dim[0], rows = (uint64_t)q.dim[1], width = (uint64_t)q.dim[2];
    bool whole = true;
    for (int i = 0; i < 3; i++)
        whole = whole && (uint64_t)br_graph_bytes(emitter->graph, node->inputs[i]) <= emitter->caps->max_storage_range;
    if (whole)
        return emit_piece(emitter, node, (attention_piece){0, pictures, 0, rows});
    /* Keys and values of a picture stay in one piece: 128 MiB hold 65,536 of them at D = 512. More are refused when the dispatch is checked. */
    uint64_t step = br_slice_rows(emitter, node->inputs[0], width);
    step = step < 1 ? 1 : step < rows ? step : rows;
    for (uint64_t picture = 0; picture < pictures; picture++)
        for (uint64_t row = 0; row < rows; row += step)
            BR_TRY(emit_piece(emitter, node, (attention_piece){picture, 1, row, rows - row < step ? rows - row : step}));
    return NULL;
}
