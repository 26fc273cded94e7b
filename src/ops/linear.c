#include <string.h>

#include "ops/gemm.h"
#include "ops/linear.h"
#include "ops/linear_dot.h"
#include "ops/norm.h"
#include "ops/quant.h"
#include "ops/slice.h"

typedef struct linear_attrs {
    br_activation activation;
    br_gemm_residual residual;
    bool geglu;
    int64_t weight_column, weight_row;
} linear_attrs;

enum { INPUT_X, INPUT_WEIGHT, INPUT_BIAS, INPUT_RESIDUAL, INPUT_COUNT };

/* Up to this many rows (the time embedding's batch) every column is a dot product of its own, see linear_rows.comp. */
#define ROWS_MAX 8
/* Invocations that share a column there: enough for coalesced loads of a row of the matrix. */
#define ROWS_TEAM 16
#define ROWS_THREADS 64
/* A CPU device loads lane by lane wherever the lanes' addresses are: there each has a column of its own, for which x is loaded once for all lanes, and none waits. */
#define CPU_ROWS_TEAM 1
#define CPU_ROWS_THREADS 16

/* Where matrix units would multiply otherwise, a product that norms x itself has no more multiplications than these, some 3 µs of ordinary arithmetic. */
#define NORMED_PRODUCTS_MAX ((uint64_t)1 << 25)

/* Numbers of a matrix of blocks that at least one scale is for, or two words of bits: parts of its rows begin and end there. */
#define BLOCK_COLUMNS 32

/* The layer norm of x, where that is what the matrix is multiplied with. */
typedef struct linear_norm {
    br_value gamma, beta;
    float eps;
} linear_norm;

/* A product with consecutive rows of the matrix, one for each column of y (with GEGLU two). */
typedef struct linear_pass {
    uint64_t w_row; /* of the matrix and of the bias, for y's column 0 */
    br_gemm_epilogue epilogue;
    br_value residual;
    const linear_norm *norm; /* or NULL */
} linear_pass;

/* What one dispatch makes of y. */
typedef struct linear_piece {
    uint64_t row, rows, column, columns;
} linear_piece;

/* Records an error and returns false unless bias and residual suit y; says what kind of residual it is. */
static bool check_epilogue(br_graph *graph, const br_linear_params *params, br_shape y, br_gemm_residual *out_residual)
{
    int64_t n = br_shape_last(y), rows = br_graph_shape(graph, params->weight).dim[0];
    if (params->bias != BR_NONE && !br_gemm_check_vector(graph, "linear", "bias", params->bias, rows))
        return false;
    *out_residual = BR_GEMM_RESIDUAL_NONE;
    if (params->geglu && (params->residual != BR_NONE || params->activation != BR_ACTIVATION_NONE)) {
        br_graph_fail(graph, BR_ERROR_ARGUMENT, "linear with geglu takes neither a residual nor an activation");
        return false;
    }
    if (params->residual == BR_NONE)
        return true;
    br_shape shape = br_graph_shape(graph, params->residual);
    br_dtype dtype = br_graph_dtype(graph, params->residual), y_dtype = br_graph_dtype(graph, params->x);
    if (br_shape_equal(shape, y) && dtype == y_dtype)
        *out_residual = BR_GEMM_RESIDUAL_FULL;
    else if (br_shape_equal(shape, br_shape_of(n)) && dtype == BR_F32)
        *out_residual = BR_GEMM_RESIDUAL_ROW;
    else
        br_graph_fail(graph, BR_ERROR_ARGUMENT, "linear residual is %s %s, expected %s %s or f32 [%lld]", br_dtype_name(dtype),
                      br_shape_format(shape).text, br_dtype_name(y_dtype), br_shape_format(y).text, (long long)n);
    return *out_residual != BR_GEMM_RESIDUAL_NONE;
}

static bool check_weight(br_graph *graph, const char *name, const br_linear_params *params)
{
    br_shape x = br_graph_shape(graph, params->x), weight = br_graph_shape(graph, params->weight);
    int64_t k = br_shape_last(x), columns = params->weight_columns ? params->weight_columns : k, first = params->weight_column;
    bool blocks = br_dtype_block(br_graph_dtype(graph, params->weight)) > 1;
    if (weight.rank != 2 || weight.dim[1] != columns || (params->geglu && weight.dim[0] % 2 != 0))
        br_graph_fail(graph, BR_ERROR_ARGUMENT, "%s: linear weight is %s, expected [%s, %lld] for x %s", name,
                      br_shape_format(weight).text, params->geglu ? "2N" : "N", (long long)columns, br_shape_format(x).text);
    else if (params->rows < 0 || params->weight_row < 0 || params->weight_row > weight.dim[0] - params->rows ||
             (params->geglu && params->rows) || (params->weight_row && !params->rows))
        br_graph_fail(graph, BR_ERROR_ARGUMENT, "%s: linear uses %lld rows from row %lld on of a weight %s", name,
                      (long long)params->rows, (long long)params->weight_row, br_shape_format(weight).text);
    else if (first < 0 || first > columns - k)
        br_graph_fail(graph, BR_ERROR_ARGUMENT, "%s: linear uses columns %lld to %lld of a weight %s", name, (long long)first,
                      (long long)(first + k - 1), br_shape_format(weight).text);
    else if (blocks && (first % BLOCK_COLUMNS != 0 || k % BLOCK_COLUMNS != 0))
        br_graph_fail(graph, BR_ERROR_ARGUMENT, "%s: linear uses columns %lld to %lld of a weight of %s, expected multiples of %d",
                      name, (long long)first, (long long)(first + k - 1), br_dtype_name(br_graph_dtype(graph, params->weight)),
                      BLOCK_COLUMNS);
    else
        return br_gemm_check_dtypes(graph, "linear", params->x, blocks ? params->x : params->weight);
    return false;
}

br_value br_op_linear(br_graph *graph, const char *name, const br_linear_params *params)
{
    if (params->x == BR_NONE || params->weight == BR_NONE || br_graph_failed(graph) || !check_weight(graph, name, params))
        return BR_NONE;
    br_shape y = br_graph_shape(graph, params->x);
    y.dim[y.rank - 1] = params->rows ? params->rows : br_graph_shape(graph, params->weight).dim[0] / (params->geglu ? 2 : 1);
    linear_attrs attrs = {.activation = params->activation,
                          .geglu = params->geglu,
                          .weight_column = params->weight_column,
                          .weight_row = params->weight_row};
    if (!check_epilogue(graph, params, y, &attrs.residual))
        return BR_NONE;
    /* Each element of the residual is read by the invocation that writes it; x is read by all. */
    bool in_place =
        attrs.residual == BR_GEMM_RESIDUAL_FULL && br_graph_root(graph, params->residual) != br_graph_root(graph, params->x);
    return br_graph_node(graph, &(br_node_params){
                                    .op = BR_OP_linear,
                                    .name = name,
                                    .input_count = INPUT_COUNT,
                                    .inputs = {params->x, params->weight, params->bias, params->residual},
                                    .attrs = &attrs,
                                    .attrs_size = sizeof attrs,
                                    .in_place = in_place ? INPUT_RESIDUAL : -1,
                                    .output_count = 1,
                                    .outputs = {{br_graph_dtype(graph, params->x), y, BR_NONE}},
                                });
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Those beside br_gemm_form. */
enum { FORM_ROWS = BR_GEMM_FORMS, FORM_DOT, FORM_NORMED, FORM_NORMED_BROADCAST, FORM_COUNT };

/* By the storage of x and of the matrix. */
static br_shader_id pick_shader(const br_graph *graph, const br_node *node, int form)
{
    static const br_shader_id ids[FORM_COUNT][2][3] = {
        {{BR_SHADER_LINEAR_F32_F32, BR_SHADER_LINEAR_F32_F16, BR_SHADER_LINEAR_F32_QUANT},
         {BR_SHADER_LINEAR_F16_F32, BR_SHADER_LINEAR_F16_F16, BR_SHADER_LINEAR_F16_QUANT}},
        {{BR_SHADER_LINEAR_LANES_F32_F32, BR_SHADER_LINEAR_LANES_F32_F16, BR_SHADER_LINEAR_LANES_F32_QUANT},
         {BR_SHADER_LINEAR_LANES_F16_F32, BR_SHADER_LINEAR_LANES_F16_F16, BR_SHADER_LINEAR_LANES_F16_QUANT}},
        {{BR_SHADER_LINEAR_BROADCAST_F32_F32, BR_SHADER_LINEAR_BROADCAST_F32_F16, BR_SHADER_LINEAR_BROADCAST_F32_QUANT},
         {BR_SHADER_LINEAR_BROADCAST_F16_F32, BR_SHADER_LINEAR_BROADCAST_F16_F16, BR_SHADER_LINEAR_BROADCAST_F16_QUANT}},
        {{0}, {[1] = BR_SHADER_LINEAR_MATRIX_F16}},
        {{BR_SHADER_LINEAR_ROWS_F32_F32, BR_SHADER_LINEAR_ROWS_F32_F16, BR_SHADER_LINEAR_ROWS_F32_QUANT},
         {BR_SHADER_LINEAR_ROWS_F16_F32, BR_SHADER_LINEAR_ROWS_F16_F16, BR_SHADER_LINEAR_ROWS_F16_QUANT}},
        {{[2] = BR_SHADER_LINEAR_DOT_F32_QUANT}, {[2] = BR_SHADER_LINEAR_DOT_F16_QUANT}},
        {{BR_SHADER_LINEAR_NORMED_F32_F32, BR_SHADER_LINEAR_NORMED_F32_F16}, {[1] = BR_SHADER_LINEAR_NORMED_F16_F16}},
        {{BR_SHADER_LINEAR_NORMED_BROADCAST_F32_F32, BR_SHADER_LINEAR_NORMED_BROADCAST_F32_F16},
         {[1] = BR_SHADER_LINEAR_NORMED_BROADCAST_F16_F16}},
    };
    br_dtype weight = br_graph_dtype(graph, node->inputs[INPUT_WEIGHT]);
    return ids[form][br_graph_dtype(graph, node->inputs[INPUT_X]) == BR_F16][weight == BR_F32 ? 0 : weight == BR_F16 ? 1 : 2];
}

/* The numbers of one dispatch for the shader, but for those that the slices' starts give. */
static br_linear_push shape_push(const br_emitter *emitter, const br_node *node, const linear_piece *piece)
{
    const linear_attrs *attrs = node->attrs;
    br_shape weight = br_graph_shape(emitter->graph, node->inputs[INPUT_WEIGHT]);
    br_dtype w_dtype = br_graph_dtype(emitter->graph, node->inputs[INPUT_WEIGHT]);
    return (br_linear_push){
        .m = (uint32_t)piece->rows,
        .n = (uint32_t)piece->columns,
        .k = (uint32_t)br_shape_last(br_graph_shape(emitter->graph, node->inputs[INPUT_X])),
        .w_stride = (uint32_t)(br_dtype_row_bytes(w_dtype, weight.dim[1]) / br_dtype_size(w_dtype)),
        .y_stride = (uint32_t)br_shape_last(br_graph_shape(emitter->graph, node->outputs[0])),
        .gate = (uint32_t)weight.dim[0] / 2,
        .w_column = (uint32_t)attrs->weight_column,
        .w_columns = (uint32_t)weight.dim[1],
    };
}

/* Makes the layer norm of y, if that is the node behind this one, a part of it. */
static bool take_norm(br_emitter *emitter, const br_node *node, br_linear_push *push, br_gemm_norm *out_norm)
{
    br_graph *graph = emitter->graph;
    if (!br_layer_norm_is_of(graph, emitter->node + 1, node->outputs[0], &push->eps))
        return false;
    int inputs = node->input_count, outputs = node->output_count;
    br_graph_merge_next(graph, emitter->node, BR_LAYER_NORM_INPUT_GAMMA);
    *out_norm = (br_gemm_norm){
        .shader =
            br_graph_dtype(graph, node->outputs[0]) == BR_F16 ? BR_SHADER_LINEAR_PARTS_NORM_F16 : BR_SHADER_LINEAR_PARTS_NORM_F32,
        .gamma = br_emit_whole(emitter, node->inputs[inputs], BR_VK_READ),
        .beta = br_emit_whole(emitter, node->inputs[inputs + 1], BR_VK_READ),
        .y = br_emit_whole(emitter, node->outputs[outputs], BR_VK_WRITE),
    };
    return true;
}

/* The operands of one dispatch. */
typedef struct linear_slices {
    br_slice x, scales, w, y, bias, residual; /* scales: of an x packed for integer dot products */
} linear_slices;

static linear_slices make_slices(br_emitter *emitter, const br_node *node, const linear_pass *pass, const linear_piece *piece,
                                 const br_linear_push *push)
{
    br_value x = node->inputs[INPUT_X], bias = node->inputs[INPUT_BIAS];
    br_linear_packed packed = br_linear_dot_packed(node);
    bool dot = packed.q != BR_NONE;
    uint64_t k = push->k, x_row = dot ? k / 4 : k, y_first = piece->row * push->y_stride, y_count = piece->rows * push->y_stride;
    uint64_t w_row = pass->w_row + piece->column, w_rows = pass->epilogue.geglu ? push->gate + piece->columns : piece->columns;
    linear_slices slices = {
        .x = br_slice_make(emitter, dot ? packed.q : x, piece->row * x_row, piece->rows * x_row, BR_VK_READ),
        .w = br_slice_make(emitter, node->inputs[INPUT_WEIGHT], w_row * push->w_columns, w_rows * push->w_columns, BR_VK_READ),
        .y = br_slice_make(emitter, node->outputs[0], y_first, y_count, BR_VK_WRITE),
        .bias = {.operand = br_gemm_unused(emitter, x)},
        .residual = {.operand = br_gemm_unused(emitter, x)},
    };
    if (dot)
        slices.scales = br_slice_make(emitter, packed.scales, piece->row * (k / 16), piece->rows * (k / 16), BR_VK_READ);
    if (bias != BR_NONE)
        slices.bias = br_slice_make(emitter, bias, w_row, w_rows, BR_VK_READ);
    if (pass->epilogue.residual == BR_GEMM_RESIDUAL_ROW)
        slices.residual = br_slice_make(emitter, pass->residual, piece->column, piece->columns, BR_VK_READ);
    else if (pass->epilogue.residual != BR_GEMM_RESIDUAL_NONE)
        slices.residual = br_slice_make(emitter, pass->residual, y_first, y_count, BR_VK_READ);
    return slices;
}

/* `products`: columns of the product, with GEGLU twice those of y. */
static br_gemm_tile choose_tile(const br_emitter *emitter, const br_node *node, const linear_pass *pass, const linear_piece *piece,
                                uint64_t products, int *out_form)
{
    const br_graph *graph = emitter->graph;
    const br_vk_caps *caps = emitter->caps;
    br_value x = node->inputs[INPUT_X];
    bool cpu = caps->type == VK_PHYSICAL_DEVICE_TYPE_CPU;
    bool f16 = br_graph_dtype(graph, node->inputs[INPUT_WEIGHT]) == BR_F16 && br_graph_dtype(graph, x) == BR_F16;
    if (br_linear_dot_packed(node).q != BR_NONE) {
        *out_form = FORM_DOT;
        return br_linear_dot_tile(caps, piece->rows, products);
    }
    if (piece->rows <= ROWS_MAX) {
        *out_form = FORM_ROWS;
        return (br_gemm_tile){.threads = cpu ? CPU_ROWS_THREADS : ROWS_THREADS,
                              .threads_n = cpu ? CPU_ROWS_TEAM : ROWS_TEAM,
                              .rows = (uint32_t)piece->rows,
                              .parts = 1};
    }
    /* Cut products have work for all cores anyway, GEGLU's in two passes among them: a node has room for the sums of one. */
    bool whole = piece->rows == (uint64_t)br_shape_rows(br_graph_shape(graph, x)) &&
                 piece->columns == (uint64_t)br_shape_last(br_graph_shape(graph, node->outputs[0])) &&
                 pass->epilogue.geglu == ((const linear_attrs *)node->attrs)->geglu;
    uint64_t depth = whole ? (uint64_t)br_shape_last(br_graph_shape(graph, x)) : 0;
    br_gemm_tile tile;
    if (pass->norm || !f16 || !br_gemm_tile_choose_matrix(caps, piece->rows, products, depth, &tile))
        tile = br_gemm_tile_choose(caps, piece->rows, products, depth);
    *out_form = !pass->norm ? (int)tile.form : tile.form == BR_GEMM_BROADCAST ? FORM_NORMED_BROADCAST : FORM_NORMED;
    return tile;
}

/* Adds the layer norm of x. */
static void norm_x(const br_emitter *emitter, const linear_norm *norm, br_linear_push *push, br_op_dispatch *dispatch)
{
    push->eps = norm->eps;
    dispatch->operand_count = BR_LINEAR_NORM_X_BINDINGS;
    dispatch->operands[BR_LINEAR_X_GAMMA] = br_emit_whole(emitter, norm->gamma, BR_VK_READ);
    dispatch->operands[BR_LINEAR_X_BETA] = br_emit_whole(emitter, norm->beta, BR_VK_READ);
    dispatch->flops += BR_LAYER_NORM_FLOPS * (uint64_t)push->m * push->k;
}

static br_status emit_piece(br_emitter *emitter, const br_node *node, const linear_pass *pass, linear_piece piece)
{
    br_value x = node->inputs[INPUT_X], bias = node->inputs[INPUT_BIAS];
    br_dtype x_dtype = br_graph_dtype(emitter->graph, x), w_dtype = br_graph_dtype(emitter->graph, node->inputs[INPUT_WEIGHT]);
    br_linear_push push = shape_push(emitter, node, &piece);
    linear_slices slices = make_slices(emitter, node, pass, &piece, &push);
    br_gemm_residual residual = pass->epilogue.residual;
    bool geglu = pass->epilogue.geglu, blocks = br_dtype_block(w_dtype) > 1;
    uint64_t k = push.k, n = push.y_stride, products = geglu ? 2 * piece.columns : piece.columns;
    int form;
    br_gemm_tile tile = choose_tile(emitter, node, pass, &piece, products, &form);
    bool few_rows = form == FORM_ROWS, dot = form == FORM_DOT;
    if (geglu)
        tile.columns += tile.columns % 2;
    if (!few_rows && !dot && !blocks)
        br_gemm_tile_widen(&tile, w_dtype == BR_F16 || x_dtype == BR_F16,
                           k | slices.x.skip | slices.w.skip | push.w_column | push.w_columns);
    uint64_t tile_n = few_rows ? tile.threads / tile.threads_n * (geglu ? 2 : 1) : br_gemm_tile_n(tile);
    uint64_t tiles_m = few_rows ? 1 : (piece.rows + br_gemm_tile_m(tile) - 1) / br_gemm_tile_m(tile);

    push.tiles_n = (uint32_t)((products + tile_n - 1) / tile_n);
    push.total = (uint32_t)tiles_m * push.tiles_n;
    push.parts = tile.parts;
    push.x_first = slices.x.skip / (dot ? 4 : 1);
    push.scales_first = slices.scales.skip / 2;
    push.w_first = slices.w.skip + (blocks ? 0 : push.w_column);
    push.y_first = slices.y.skip + (uint32_t)piece.column;
    push.bias_first = slices.bias.skip;
    push.residual_first = slices.residual.skip + (residual == BR_GEMM_RESIDUAL_ROW ? 0 : (uint32_t)piece.column);
    uint32_t ends = push.n | push.y_stride | push.y_first | push.bias_first | push.residual_first | (geglu ? push.gate : 0);
    bool lanes = tile.form == BR_GEMM_LANES;
    if (lanes && bias == BR_NONE)
        push.bias_first = BR_ABSENT;
    if (lanes && residual == BR_GEMM_RESIDUAL_NONE)
        push.residual_first = BR_ABSENT;
    /* The words of blocks are read one by one wherever they begin. */
    bool load = k % 4 == 0 && slices.x.skip % 4 == 0 && (blocks || (push.w_first % 4 == 0 && push.w_stride % 4 == 0));
    uint32_t flags = (load ? BR_GEMM_VEC_LOAD : 0) | (ends % 4 == 0 ? BR_GEMM_VEC_STORE : 0) |
                     br_gemm_depth_flag(tile, k, k | slices.x.skip | push.w_first | push.w_stride);
    br_gemm_norm norm;
    bool normed = !geglu && br_gemm_takes_norm(emitter->caps, tile, flags, n) && take_norm(emitter, node, &push, &norm);
    br_op_dispatch dispatch = {
        .shader = pick_shader(emitter->graph, node, form),
        .push_size = sizeof push,
        .operand_count = dot ? BR_LINEAR_X_SCALES + 1 : BR_LINEAR_BINDINGS,
        .operands = {slices.x.operand, slices.w.operand, slices.y.operand, slices.bias.operand, slices.residual.operand,
                     slices.scales.operand},
        .flops = piece.rows * (products * (2 * k + (bias != BR_NONE)) + (geglu || pass->residual != BR_NONE ? piece.columns : 0)),
    };
    if (pass->norm)
        norm_x(emitter, pass->norm, &push, &dispatch);
    memcpy(dispatch.push, &push, sizeof push);
    br_gemm_epilogue epilogue = pass->epilogue;
    epilogue.bias = epilogue.bias && !lanes; /* which has it pushed */
    static const br_shader_id unrolled[] = {BR_SHADER_LINEAR_UNROLLED_F32_F32, BR_SHADER_LINEAR_UNROLLED_GEGLU_F32_F32};
    return br_gemm_emit(emitter, &dispatch,
                        &(br_gemm_launch){.tile = tile,
                                          .flags = flags,
                                          .epilogue = epilogue,
                                          .m = piece.rows,
                                          .n = piece.columns,
                                          .op_spec_count = blocks,
                                          .op_spec = blocks ? br_quant_kind(w_dtype) : 0,
                                          .norm = normed ? &norm : NULL,
                                          .parts = x_dtype == BR_F16 ? BR_SHADER_LINEAR_PARTS_F16 : BR_SHADER_LINEAR_PARTS_F32,
                                          .unrolled = x_dtype == BR_F32 && w_dtype == BR_F32 ? unrolled : NULL});
}

static br_status emit_pass(br_emitter *emitter, const br_node *node, const linear_pass *pass)
{
    br_value x = node->inputs[INPUT_X], y = node->outputs[0], weight = node->inputs[INPUT_WEIGHT], bias = node->inputs[INPUT_BIAS];
    uint64_t m = (uint64_t)br_shape_rows(br_graph_shape(emitter->graph, x));
    uint64_t k = (uint64_t)br_shape_last(br_graph_shape(emitter->graph, x));
    uint64_t n = (uint64_t)br_shape_last(br_graph_shape(emitter->graph, y));
    br_gemm_residual residual = pass->epilogue.residual;
    br_linear_packed packed = br_linear_dot_packed(node);

    uint64_t rows = smaller(m, smaller(br_slice_rows(emitter, x, k), br_slice_rows(emitter, y, n)));
    if (packed.q != BR_NONE)
        rows = smaller(rows, smaller(br_slice_rows(emitter, packed.q, k / 4), br_slice_rows(emitter, packed.scales, k / 16)));
    uint64_t columns = n;
    if (!pass->epilogue.geglu) { /* which is for matrices that fit */
        columns = smaller(n, br_slice_rows(emitter, weight, (uint64_t)br_graph_shape(emitter->graph, weight).dim[1]));
        if (bias != BR_NONE)
            columns = smaller(columns, br_slice_rows(emitter, bias, 1));
    }
    if (residual == BR_GEMM_RESIDUAL_ROW)
        columns = smaller(columns, br_slice_rows(emitter, pass->residual, 1));
    else if (residual != BR_GEMM_RESIDUAL_NONE)
        rows = smaller(rows, br_slice_rows(emitter, pass->residual, n));
    /* A row that fits in no range is refused, with the numbers, when its dispatch is checked. */
    rows = rows ? rows : 1;
    columns = columns ? columns : 1;
    for (uint64_t row = 0; row < m; row += rows)
        for (uint64_t column = 0; column < n; column += columns)
            BR_TRY(
                emit_piece(emitter, node, pass, (linear_piece){row, smaller(rows, m - row), column, smaller(columns, n - column)}));
    return NULL;
}

static bool fits(const br_emitter *emitter, br_value value)
{
    return value == BR_NONE || (uint64_t)br_graph_bytes(emitter->graph, value) <= emitter->caps->max_storage_range;
}

static linear_pass whole_pass(const br_node *node)
{
    const linear_attrs *attrs = node->attrs;
    return (linear_pass){
        .w_row = (uint64_t)attrs->weight_row,
        .epilogue = {.activation = attrs->activation,
                     .bias = node->inputs[INPUT_BIAS] != BR_NONE,
                     .residual = attrs->residual,
                     .geglu = attrs->geglu},
        .residual = node->inputs[INPUT_RESIDUAL],
    };
}

bool br_linear_takes_norm(const br_emitter *emitter)
{
    const br_graph *graph = emitter->graph;
    const br_node *norm = &graph->nodes[emitter->node], *node = norm + 1;
    br_value x = norm->inputs[BR_LAYER_NORM_INPUT_X], normed = norm->outputs[0];
    if (emitter->node + 1 >= graph->node_count || node->op != BR_OP_linear || node->inputs[INPUT_X] != normed)
        return false;
    const linear_attrs *attrs = node->attrs;
    br_dtype x_dtype = br_graph_dtype(graph, x), w_dtype = br_graph_dtype(graph, node->inputs[INPUT_WEIGHT]);
    br_value residual = node->inputs[INPUT_RESIDUAL];
    /* x is read while others write, so it must not be what y may be written over. */
    if ((w_dtype != BR_F16 && (w_dtype != BR_F32 || x_dtype != BR_F32)) ||
        (residual != BR_NONE && br_graph_root(graph, residual) == br_graph_root(graph, x)))
        return false;
    const br_value operands[] = {x, node->inputs[INPUT_WEIGHT], node->inputs[INPUT_BIAS], residual, node->outputs[0]};
    for (size_t i = 0; i < sizeof operands / sizeof operands[0]; i++)
        if (!fits(emitter, operands[i]))
            return false;
    uint64_t m = (uint64_t)br_shape_rows(br_graph_shape(graph, x)), k = (uint64_t)br_shape_last(br_graph_shape(graph, x));
    uint64_t products = (uint64_t)br_shape_last(br_graph_shape(graph, node->outputs[0])) * (attrs->geglu ? 2 : 1);
    br_gemm_tile matrix;
    bool units = x_dtype == BR_F16 && w_dtype == BR_F16 && br_gemm_tile_choose_matrix(emitter->caps, m, products, k, &matrix);
    return m > ROWS_MAX && (!units || m * products * k <= NORMED_PRODUCTS_MAX) &&
           br_gemm_norms_x(emitter->caps, br_gemm_tile_choose(emitter->caps, m, products, k), m, products, k) &&
           br_graph_reads_alone(graph, emitter->node + 1, normed);
}

br_status br_emit_linear_of_norm(br_emitter *emitter, float eps)
{
    br_graph_merge_previous(emitter->graph, emitter->node + 1, INPUT_X);
    const br_node *node = &emitter->graph->nodes[emitter->node];
    const linear_norm norm = {.gamma = node->inputs[INPUT_COUNT], .beta = node->inputs[INPUT_COUNT + 1], .eps = eps};
    linear_pass pass = whole_pass(node);
    pass.norm = &norm;
    return emit_pass(emitter, node, &pass);
}

br_status br_emit_linear(br_emitter *emitter, const br_node *node)
{
    const linear_attrs *attrs = node->attrs;
    br_value weight = node->inputs[INPUT_WEIGHT], bias = node->inputs[INPUT_BIAS];
    br_gemm_epilogue plain = {.bias = bias != BR_NONE};
    linear_pass pass = whole_pass(node);
    BR_TRY(br_linear_dot_pack(emitter, ROWS_MAX));
    if (!attrs->geglu || (fits(emitter, weight) && fits(emitter, bias)))
        return emit_pass(emitter, node, &pass);

    /* One binding does not reach from a value's row to its gate's: y holds the gates, then each becomes value · gate. */
    linear_pass gates = {(uint64_t)br_shape_last(br_graph_shape(emitter->graph, node->outputs[0])), plain, BR_NONE, NULL};
    linear_pass values = {0, plain, node->outputs[0], NULL};
    gates.epilogue.activation = BR_ACTIVATION_GELU;
    values.epilogue.residual = BR_GEMM_RESIDUAL_GATE;
    BR_TRY(emit_pass(emitter, node, &gates));
    return emit_pass(emitter, node, &values);
}
