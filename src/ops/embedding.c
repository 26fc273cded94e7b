#include "ops/embedding.h"

#include <inttypes.h>

#include "ops/elementwise.h"
#include "ops/quant.h"

/* Of positions and extra rows beside a table of this type. */
static br_dtype plain_dtype(br_dtype table)
{
    return br_dtype_block(table) > 1 ? BR_F32 : table;
}

static br_value check_extra(br_graph *graph, const char *name, const br_embedding_params *params)
{
    br_shape table = br_graph_shape(graph, params->table), extra = br_graph_shape(graph, params->extra);
    br_dtype wanted = plain_dtype(br_graph_dtype(graph, params->table)), dtype = br_graph_dtype(graph, params->extra);
    if (extra.rank != 2 || extra.dim[1] != table.dim[1] || dtype != wanted || extra.dim[0] > INT32_MAX - table.dim[0])
        return br_graph_fail(graph, BR_ERROR_ARGUMENT, "%s: extra is %s %s, expected %s [E, %" PRId64 "]", name,
                             br_dtype_name(dtype), br_shape_format(extra).text, br_dtype_name(wanted), table.dim[1]);
    return params->extra;
}

static br_value check(br_graph *graph, const char *name, const br_embedding_params *params)
{
    br_shape tokens = br_graph_shape(graph, params->tokens), table = br_graph_shape(graph, params->table);
    br_dtype dtype = br_graph_dtype(graph, params->table);
    if (br_graph_dtype(graph, params->tokens) != BR_I32 || tokens.rank != 2)
        return br_graph_fail(graph, BR_ERROR_ARGUMENT, "%s: tokens is %s %s, expected i32 [B, T]", name,
                             br_dtype_name(br_graph_dtype(graph, params->tokens)), br_shape_format(tokens).text);
    if (table.rank != 2 || dtype == BR_I32 || table.dim[0] > INT32_MAX)
        return br_graph_fail(graph, BR_ERROR_ARGUMENT, "%s: table is %s %s, expected f32, f16 or blocks [V, D]", name,
                             br_dtype_name(dtype), br_shape_format(table).text);
    if (params->dtype != BR_F32 && params->dtype != BR_F16)
        return br_graph_fail(graph, BR_ERROR_ARGUMENT, "%s: result is %s, expected f32 or f16", name, br_dtype_name(params->dtype));
    if (params->extra != BR_NONE && check_extra(graph, name, params) == BR_NONE)
        return BR_NONE;
    if (params->positions == BR_NONE)
        return params->table;
    br_shape positions = br_graph_shape(graph, params->positions);
    br_dtype positions_dtype = br_graph_dtype(graph, params->positions), positions_wanted = plain_dtype(dtype);
    if (positions.rank != 2 || positions.dim[0] < tokens.dim[1] || positions.dim[1] != table.dim[1] ||
        positions_dtype != positions_wanted)
        return br_graph_fail(graph, BR_ERROR_ARGUMENT, "%s: positions is %s %s, expected %s [%" PRId64 " or more, %" PRId64 "]",
                             name, br_dtype_name(positions_dtype), br_shape_format(positions).text, br_dtype_name(positions_wanted),
                             tokens.dim[1], table.dim[1]);
    return params->table;
}

br_value br_op_embedding(br_graph *graph, const char *name, const br_embedding_params *params)
{
    if (params->tokens == BR_NONE || params->table == BR_NONE || check(graph, name, params) == BR_NONE)
        return BR_NONE;
    br_shape tokens = br_graph_shape(graph, params->tokens);
    br_shape shape = br_shape_of(tokens.dim[0], tokens.dim[1], br_graph_shape(graph, params->table).dim[1]);
    return br_graph_node(graph, &(br_node_params){.op = BR_OP_embedding,
                                                  .name = name,
                                                  .input_count = 4,
                                                  .inputs = {params->tokens, params->table, params->positions, params->extra},
                                                  .in_place = -1,
                                                  .output_count = 1,
                                                  .outputs = {{params->dtype, shape, BR_NONE}}});
}

/* Consecutive tokens, counted over all of [B, T]. */
typedef struct br_token_range {
    uint64_t first, count;
} br_token_range;

/* Rows of the table, or of the extra one, whose ids begin at `base`. */
typedef struct br_row_range {
    br_value table;
    uint64_t base, first, count;
} br_row_range;

/* A range of tokens either begins with a picture's first one or stays within one picture, so its positions are consecutive too. */
static br_status emit_rows(br_emitter *emitter, const br_node *node, br_token_range tokens, br_row_range rows)
{
    const br_graph *graph = emitter->graph;
    br_shape table = br_graph_shape(graph, node->inputs[1]);
    uint64_t width = (uint64_t)table.dim[1], length = (uint64_t)br_graph_shape(graph, node->inputs[0]).dim[1];
    uint64_t vocabulary = (uint64_t)table.dim[0];
    if (node->inputs[3] != BR_NONE)
        vocabulary += (uint64_t)br_graph_shape(graph, node->inputs[3]).dim[0];
    br_value positions = node->inputs[2];
    uint64_t position_first = tokens.first % length, position_count = tokens.count < length ? tokens.count : length;
    br_slice pieces[] = {
        [BR_EMBEDDING_TOKENS] = br_slice_make(emitter, node->inputs[0], tokens.first, tokens.count, BR_VK_READ),
        [BR_EMBEDDING_TABLE] = br_slice_make(emitter, rows.table, rows.first * width, rows.count * width, BR_VK_READ),
        [BR_EMBEDDING_Y] = br_slice_make(emitter, node->outputs[0], tokens.first * width, tokens.count * width, BR_VK_WRITE),
    };
    pieces[BR_EMBEDDING_POSITIONS] =
        positions == BR_NONE ? pieces[BR_EMBEDDING_TABLE]
                             : br_slice_make(emitter, positions, position_first * width, position_count * width, BR_VK_READ);
    br_dtype dtype = br_graph_dtype(graph, rows.table);
    bool blocks = br_dtype_block(dtype) > 1;
    /* Rows of blocks are read in fours wherever their words begin. */
    uint32_t vector = blocks ? 4 : br_elementwise_vector(pieces + 1, 3, width);
    br_embedding_push push = {
        .total = (uint32_t)(tokens.count * width / vector),
        .width = (uint32_t)width / vector,
        .table_stride = blocks ? (uint32_t)(br_dtype_row_bytes(dtype, table.dim[1]) / 4) : (uint32_t)width / vector,
        .vocabulary = (uint32_t)vocabulary,
        .row_first = (uint32_t)(rows.base + rows.first),
        .row_count = (uint32_t)rows.count,
        .tokens = (uint32_t)length,
        .token_first = (uint32_t)position_first,
        .position_first = (uint32_t)position_first,
        .tokens_skip = pieces[BR_EMBEDDING_TOKENS].skip,
        .table_skip = pieces[BR_EMBEDDING_TABLE].skip,
        .positions_skip = pieces[BR_EMBEDDING_POSITIONS].skip,
        .y_skip = pieces[BR_EMBEDDING_Y].skip,
    };
    static const br_shader_id shaders[2][3] = {
        {BR_SHADER_EMBEDDING_F32_F32, BR_SHADER_EMBEDDING_F32_F16, BR_SHADER_EMBEDDING_F32_QUANT},
        {BR_SHADER_EMBEDDING_F16_F32, BR_SHADER_EMBEDDING_F16_F16, BR_SHADER_EMBEDDING_F16_QUANT},
    };
    br_shader_id shader = shaders[br_graph_dtype(graph, node->outputs[0]) == BR_F16][blocks ? 2 : dtype == BR_F16];
    return br_elementwise_emit(emitter, &(br_elementwise_params){.shader = shader,
                                                                 .pieces = pieces,
                                                                 .piece_count = 4,
                                                                 .push = &push,
                                                                 .push_size = sizeof push,
                                                                 .items = push.total,
                                                                 .vector = vector,
                                                                 .spec_count = blocks ? 2 : 1,
                                                                 .spec = {positions != BR_NONE, blocks ? br_quant_kind(dtype) : 0},
                                                                 .flops = positions != BR_NONE ? tokens.count * width : 0});
}

static uint64_t at_least_one(uint64_t count)
{
    return count ? count : 1; /* what does not fit is refused by br_emit_dispatch */
}

static br_status emit_table(br_emitter *emitter, const br_node *node, br_token_range tokens, br_value table, uint64_t base)
{
    br_shape shape = br_graph_shape(emitter->graph, table);
    uint64_t rows = (uint64_t)shape.dim[0], step = at_least_one(br_slice_rows(emitter, table, (uint64_t)shape.dim[1]));
    for (uint64_t row = 0; row < rows; row += step)
        BR_TRY(emit_rows(emitter, node, tokens, (br_row_range){table, base, row, rows - row < step ? rows - row : step}));
    return NULL;
}

br_status br_emit_embedding(br_emitter *emitter, const br_node *node)
{
    const br_graph *graph = emitter->graph;
    br_shape tokens = br_graph_shape(graph, node->inputs[0]), table = br_graph_shape(graph, node->inputs[1]);
    uint64_t width = (uint64_t)table.dim[1], length = (uint64_t)tokens.dim[1], total = (uint64_t)br_shape_count(tokens);
    uint64_t step = br_slice_rows(emitter, node->outputs[0], width), token_step = br_slice_rows(emitter, node->inputs[0], 1);
    if (token_step < step)
        step = token_step;
    if (node->inputs[2] != BR_NONE) {
        uint64_t fit = br_slice_rows(emitter, node->inputs[2], width);
        if (fit < length && fit < step)
            step = fit;
    }
    step = at_least_one(step >= length ? step / length * length : step);
    for (br_token_range range = {0}; range.first < total; range.first += range.count) {
        uint64_t within = length - range.first % length; /* left of this picture */
        range.count = step >= length ? step : within < step ? within : step;
        if (range.count > total - range.first)
            range.count = total - range.first;
        BR_TRY(emit_table(emitter, node, range, node->inputs[1], 0));
        if (node->inputs[3] != BR_NONE)
            BR_TRY(emit_table(emitter, node, range, node->inputs[3], (uint64_t)table.dim[0]));
    }
    return NULL;
}
