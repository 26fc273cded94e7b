#include <string.h>

#include "ops/gemm.h"
#include "ops/linear.h"
#include "ops/quant.h"
#include "ops/slice.h"

typedef struct linear_attrs {
    br_activation activation;
    br_gemm_residual residual;
} linear_attrs;

enum { INPUT_X, INPUT_WEIGHT, INPUT_BIAS, INPUT_RESIDUAL, INPUT_COUNT };

/* Up to this many rows (the time embedding's batch) every column is a dot product of its own, see linear_rows.comp. */
#define ROWS_MAX 8
/* Invocations that share a column there: enough for coalesced loads of a row of the matrix. */
#define ROWS_TEAM 16
#define ROWS_THREADS 64

static br_status emit_slice(br_emitter *emitter, const br_node *node, uint64_t row, uint64_t rows, uint64_t column,
                            uint64_t columns);

/* Records an error and returns false unless bias and residual suit y; says what kind of residual it is. */
static bool check_epilogue(br_graph *graph, const br_linear_params *params, br_shape y, br_gemm_residual *out_residual)
{
    int64_t n = br_shape_last(y);
    if (params->bias != BR_NONE && !br_gemm_check_vector(graph, "linear", "bias", params->bias, n))
        return false;
    *out_residual = BR_GEMM_RESIDUAL_NONE;
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

br_value br_op_linear(br_graph *graph, const char *name, const br_linear_params *params)
{
    if (params->x == BR_NONE || params->weight == BR_NONE || br_graph_failed(graph))
        return BR_NONE;
    br_shape x = br_graph_shape(graph, params->x), weight = br_graph_shape(graph, params->weight);
    int64_t k = br_shape_last(x);
    if (weight.rank != 2 || weight.dim[1] != k)
        return br_graph_fail(graph, BR_ERROR_ARGUMENT, "%s: linear weight is %s, expected [N, %lld] for x %s", name,
                             br_shape_format(weight).text, (long long)k, br_shape_format(x).text);
    bool blocks = br_dtype_block(br_graph_dtype(graph, params->weight)) > 1;
    if (!br_gemm_check_dtypes(graph, "linear", params->x, blocks ? params->x : params->weight))
        return BR_NONE;
    br_shape y = x;
    y.dim[y.rank - 1] = weight.dim[0];
    linear_attrs attrs = {.activation = params->activation};
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

br_status br_emit_linear(br_emitter *emitter, const br_node *node)
{
    const linear_attrs *attrs = node->attrs;
    br_shape x = br_graph_shape(emitter->graph, node->inputs[INPUT_X]);
    uint64_t m = (uint64_t)br_shape_rows(x), k = (uint64_t)br_shape_last(x);
    uint64_t n = (uint64_t)br_shape_last(br_graph_shape(emitter->graph, node->outputs[0]));

    uint64_t rows =
        smaller(m, smaller(br_slice_rows(emitter, node->inputs[INPUT_X], k), br_slice_rows(emitter, node->outputs[0], n)));
    uint64_t columns = smaller(n, br_slice_rows(emitter, node->inputs[INPUT_WEIGHT], k));
    if (attrs->residual == BR_GEMM_RESIDUAL_FULL)
        rows = smaller(rows, br_slice_rows(emitter, node->inputs[INPUT_RESIDUAL], n));
    if (attrs->residual == BR_GEMM_RESIDUAL_ROW)
        columns = smaller(columns, br_slice_rows(emitter, node->inputs[INPUT_RESIDUAL], 1));
    if (node->inputs[INPUT_BIAS] != BR_NONE)
        columns = smaller(columns, br_slice_rows(emitter, node->inputs[INPUT_BIAS], 1));
    /* A row that fits in no range is refused, with the numbers, when its dispatch is checked. */
    rows = rows ? rows : 1;
    columns = columns ? columns : 1;
    for (uint64_t row = 0; row < m; row += rows)
        for (uint64_t column = 0; column < n; column += columns)
            BR_TRY(emit_slice(emitter, node, row, smaller(rows, m - row), column, smaller(columns, n - column)));
    return NULL;
}

/* Shader and its name by the storage of x and of the matrix. */
static br_shader_id pick_shader(const br_graph *graph, const br_node *node, int form)
{
    static const br_shader_id ids[3][2][3] = {
        {{BR_SHADER_LINEAR_F32_F32, BR_SHADER_LINEAR_F32_F16, BR_SHADER_LINEAR_F32_QUANT},
         {BR_SHADER_LINEAR_F16_F32, BR_SHADER_LINEAR_F16_F16, BR_SHADER_LINEAR_F16_QUANT}},
        {{BR_SHADER_LINEAR_ROWS_F32_F32, BR_SHADER_LINEAR_ROWS_F32_F16, BR_SHADER_LINEAR_ROWS_F32_QUANT},
         {BR_SHADER_LINEAR_ROWS_F16_F32, BR_SHADER_LINEAR_ROWS_F16_F16, BR_SHADER_LINEAR_ROWS_F16_QUANT}},
        {{BR_SHADER_LINEAR_LANES_F32_F32, BR_SHADER_LINEAR_LANES_F32_F16, BR_SHADER_LINEAR_LANES_F32_QUANT},
         {BR_SHADER_LINEAR_LANES_F16_F32, BR_SHADER_LINEAR_LANES_F16_F16, BR_SHADER_LINEAR_LANES_F16_QUANT}},
    };
    br_dtype weight = br_graph_dtype(graph, node->inputs[INPUT_WEIGHT]);
    return ids[form][br_graph_dtype(graph, node->inputs[INPUT_X]) == BR_F16][weight == BR_F32 ? 0 : weight == BR_F16 ? 1 : 2];
}

static br_status emit_slice(br_emitter *emitter, const br_node *node, uint64_t row, uint64_t rows, uint64_t column,
                            uint64_t columns)
{
    const linear_attrs *attrs = node->attrs;
    br_value x = node->inputs[INPUT_X], weight = node->inputs[INPUT_WEIGHT], bias = node->inputs[INPUT_BIAS], y = node->outputs[0];
    br_value residual = node->inputs[INPUT_RESIDUAL];
    uint64_t k = (uint64_t)br_shape_last(br_graph_shape(emitter->graph, x));
    uint64_t n = (uint64_t)br_shape_last(br_graph_shape(emitter->graph, y));
    br_dtype w_dtype = br_graph_dtype(emitter->graph, weight);

    br_slice x_slice = br_slice_make(emitter, x, row * k, rows * k, BR_VK_READ);
    br_slice w_slice = br_slice_make(emitter, weight, column * k, columns * k, BR_VK_READ);
    br_slice y_slice = br_slice_make(emitter, y, row * n, rows * n, BR_VK_WRITE);
    br_slice bias_slice = {.operand = br_gemm_unused(emitter, x)}, residual_slice = bias_slice;
    if (bias != BR_NONE)
        bias_slice = br_slice_make(emitter, bias, column, columns, BR_VK_READ);
    if (attrs->residual == BR_GEMM_RESIDUAL_FULL)
        residual_slice = br_slice_make(emitter, residual, row * n, rows * n, BR_VK_READ);
    if (attrs->residual == BR_GEMM_RESIDUAL_ROW)
        residual_slice = br_slice_make(emitter, residual, column, columns, BR_VK_READ);

    bool few_rows = rows <= ROWS_MAX;
    br_gemm_tile tile = few_rows ? (br_gemm_tile){.threads = ROWS_THREADS, .threads_n = ROWS_TEAM, .rows = (uint32_t)rows}
                                 : br_gemm_tile_choose(emitter->caps, rows, columns);
    uint32_t tile_n = few_rows ? ROWS_THREADS / ROWS_TEAM : br_gemm_tile_n(tile);
    uint32_t tiles_n = (uint32_t)((columns + tile_n - 1) / tile_n);
    uint64_t tiles_m = few_rows ? 1 : (rows + br_gemm_tile_m(tile) - 1) / br_gemm_tile_m(tile);

    br_linear_push push = {
        .total = (uint32_t)(tiles_m * tiles_n),
        .tiles_n = tiles_n,
        .m = (uint32_t)rows,
        .n = (uint32_t)columns,
        .k = (uint32_t)k,
        .w_stride = (uint32_t)(br_dtype_row_bytes(w_dtype, (int64_t)k) / br_dtype_size(w_dtype)),
        .x_first = x_slice.skip,
        .w_first = w_slice.skip,
        .y_first = y_slice.skip + (uint32_t)column,
        .y_stride = (uint32_t)n,
        .bias_first = bias_slice.skip,
        .residual_first = residual_slice.skip + (attrs->residual == BR_GEMM_RESIDUAL_FULL ? (uint32_t)column : 0),
    };
    br_op_dispatch dispatch = {
        .shader = pick_shader(emitter->graph, node,
                              few_rows     ? 1
                              : tile.lanes ? 2
                                           : 0),
        .push_size = sizeof push,
        .operand_count = BR_LINEAR_BINDINGS,
        .operands = {x_slice.operand, w_slice.operand, y_slice.operand, bias_slice.operand, residual_slice.operand},
        .flops = rows * columns * (2 * k + (bias != BR_NONE) + (attrs->residual != BR_GEMM_RESIDUAL_NONE)),
    };
    memcpy(dispatch.push, &push, sizeof push);
    /* The words of blocks are read one by one wherever they begin. */
    bool vec = k % 4 == 0 && x_slice.skip % 4 == 0 && (w_slice.skip % 4 == 0 || br_dtype_block(w_dtype) > 1);
    br_gemm_specialize(&dispatch, tile, vec, (br_gemm_epilogue){attrs->activation, bias != BR_NONE, attrs->residual});
    if (br_dtype_block(w_dtype) > 1)
        dispatch.spec[dispatch.spec_count++] = br_quant_kind(w_dtype);
    br_emit_fold(emitter, push.total, dispatch.groups);
    return br_emit_dispatch(emitter, &dispatch);
}
