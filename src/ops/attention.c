#include <math.h>
#include <string.h>

#include "ops/attention.h"
#include "ops/gemm.h"
#include "ops/slice.h"
#include "vk/vendor.h"

#define LOG2_E 1.44269504088896340736

typedef struct attention_attrs {
    uint32_t width; /* D */
    uint32_t q_column, k_column, v_column;
    int heads;
    float scale;
    bool causal;
} attention_attrs;

/* attention.comp, attention_lanes.comp, attention_matrix.comp, attention_broadcast.comp */
typedef enum attention_form { FORM_GPU, FORM_LANES, FORM_MATRIX, FORM_BROADCAST, FORM_COUNT } attention_form;

/* How a workgroup covers the output. */
typedef struct attention_tile {
    attention_form form;
    uint32_t threads, rows;
    uint32_t quads; /* of sums a row that an invocation holds */
    uint32_t rest;  /* sums of attention_lanes.comp beside its quads */
    /* attention.comp: invocations along the columns, units of q and k in shared memory, whether a head is whole slabs of them, and whether they are halves;
     * attention_broadcast.comp: quads, and whether a head is one slab */
    uint32_t tx, slab;
    bool whole, packed;
    uint32_t key_sets; /* keys of a block by tx, or by the lanes */
    int unrolled;      /* 1 + index of unrolled_quads, or 0 */
    uint32_t parts;    /* workgroups among which a head's columns are split, each of which repeats the scores */
    /* attention_matrix.comp, where `quads` are those of a head's width, padded */
    br_vk_matrix_shape shape;
    bool reduce;           /* common/attention_reduce.glsl */
    uint32_t keys_at_once; /* of a block */
    bool padded;           /* the head is narrower than its quads */
    uint32_t subgroup;
    bool subgroup_asked; /* its size is not the only one */
} attention_tile;

/* attention.comp. With more than 4 quads the sums no longer fit in registers, so wide heads get more invocations. */
#define GPU_THREADS 128
#define GPU_WIDE_THREADS 256
#define GPU_WIDE_HEAD 256 /* columns of 4 quads of 128 invocations */
#define GPU_QUADS_MAX 4
/* attention_lanes.comp. Every multiplication is written out: with more rows, quads or sets of keys compiling takes over a second. */
#define LANES_ROWS 32
#define LANES_ROWS_FEW 16 /* where there are no more, and beside more than LANES_QUADS quads */
#define LANES_KEY_SETS 4
#define LANES_QUADS 5
#define UNROLLED_ROWS 8 /* likewise in the forms that were written out */
#define LANES_KEY_SETS_WIDE 2
#define LANES_QUADS_WIDE 16
/* Below these operations it is cheaper to do the scores once more for every quad than to compile a pipeline that does several. */
#define LANES_FEW_FLOPS 32000000
/* attention_broadcast.comp: quads of q in shared memory, for heads of 40, 80 and 160 ten; rows of a workgroup, so that its sums fit in registers. */
#define BROADCAST_ROWS 16
#define BROADCAST_ROWS_FEW 8 /* beside a quad of columns an invocation */
#define BROADCAST_THREADS_MAX 256
/* attention_matrix.comp: narrower heads would be padding for the most part, and of wider ones q and the sums no longer fit in registers. */
#define MATRIX_HEAD_MIN 32
#define MATRIX_HEAD_MAX 128
#define MATRIX_SIDE_MAX 16     /* to which heads are padded; of matrices */
#define MATRIX_HEAD_AMD 64     /* with wider ones RADV loads so much ahead that a tenth of the loop is moves between registers */
#define MATRIX_SUBGROUPS 8     /* of a workgroup: they share the blocks of k and v */
#define MATRIX_SUBGROUPS_FEW 4 /* where eight do not fit or there are too few rows for MATRIX_MIN_GROUPS workgroups */
#define MATRIX_MIN_GROUPS 64
#define MATRIX_SCALE_MIN 1e-20F /* with less, a key that is not seen would weigh something */

/* Whether columns [column, column + width) exist in rows of k or v; all of a row where nothing was said of columns. */
static bool check_rows(br_graph *graph, const char *name, const char *role, br_shape shape, br_shape q, int64_t column,
                       int64_t width, bool whole)
{
    if (shape.rank == 3 && shape.dim[0] == q.dim[0] && column >= 0 &&
        (whole ? shape.dim[2] == width : width <= shape.dim[2] && column <= shape.dim[2] - width))
        return true;
    if (whole)
        br_graph_fail(graph, BR_ERROR_ARGUMENT, "%s: attention %s is %s, expected [%lld, T, %lld]", name, role,
                      br_shape_format(shape).text, (long long)q.dim[0], (long long)width);
    else
        br_graph_fail(graph, BR_ERROR_ARGUMENT, "%s: attention %s is %s, expected [%lld, T, D] with columns %lld to %lld", name,
                      role, br_shape_format(shape).text, (long long)q.dim[0], (long long)column, (long long)(column + width - 1));
    return false;
}

static bool check_shapes(br_graph *graph, const char *name, const br_attention_params *params, int64_t width)
{
    br_shape q = br_graph_shape(graph, params->q), k = br_graph_shape(graph, params->k), v = br_graph_shape(graph, params->v);
    bool whole = !params->width && !params->q_column && !params->k_column && !params->v_column;
    if (!check_rows(graph, name, "q", q, q, params->q_column, width, whole) ||
        !check_rows(graph, name, "k", k, q, params->k_column, width, whole) ||
        !check_rows(graph, name, "v", v, q, params->v_column, width, whole))
        return false;
    if (v.dim[1] != k.dim[1]) {
        br_graph_fail(graph, BR_ERROR_ARGUMENT, "%s: attention v is %s, expected as many rows as k's %s", name,
                      br_shape_format(v).text, br_shape_format(k).text);
        return false;
    }
    if (params->heads < 1 || width % params->heads) {
        br_graph_fail(graph, BR_ERROR_ARGUMENT, "%s: attention has %d heads, expected a divisor of D = %lld", name, params->heads,
                      (long long)width);
        return false;
    }
    if (params->causal && q.dim[1] != k.dim[1]) {
        br_graph_fail(graph, BR_ERROR_ARGUMENT, "%s: causal attention has %lld queries and %lld keys, expected as many", name,
                      (long long)q.dim[1], (long long)k.dim[1]);
        return false;
    }
    return true;
}

br_value br_op_attention(br_graph *graph, const char *name, const br_attention_params *params)
{
    if (params->q == BR_NONE || params->k == BR_NONE || params->v == BR_NONE || br_graph_failed(graph))
        return BR_NONE;
    br_shape q = br_graph_shape(graph, params->q);
    if (q.rank != 3 || params->width < 0)
        return br_graph_fail(graph, BR_ERROR_ARGUMENT, "%s: attention q is %s, expected [B, T, D]", name, br_shape_format(q).text);
    int64_t width = params->width ? params->width : q.dim[2];
    if (!check_shapes(graph, name, params, width))
        return BR_NONE;
    br_dtype dtype = br_graph_dtype(graph, params->q);
    if ((dtype != BR_F32 && dtype != BR_F16) || br_graph_dtype(graph, params->k) != dtype ||
        br_graph_dtype(graph, params->v) != dtype)
        return br_graph_fail(graph, BR_ERROR_ARGUMENT, "%s: attention takes one of f32 and f16, q is %s, k %s and v %s", name,
                             br_dtype_name(dtype), br_dtype_name(br_graph_dtype(graph, params->k)),
                             br_dtype_name(br_graph_dtype(graph, params->v)));
    attention_attrs attrs = {
        .width = (uint32_t)width,
        .q_column = (uint32_t)params->q_column,
        .k_column = (uint32_t)params->k_column,
        .v_column = (uint32_t)params->v_column,
        .heads = params->heads,
        .scale = params->scale != 0 ? params->scale : (float)(1 / sqrt((double)(width / params->heads))),
        .causal = params->causal,
    };
    return br_graph_node(graph, &(br_node_params){
                                    .op = BR_OP_attention,
                                    .name = name,
                                    .input_count = 3,
                                    .inputs = {params->q, params->k, params->v},
                                    .attrs = &attrs,
                                    .attrs_size = sizeof attrs,
                                    .in_place = -1,
                                    .output_count = 1,
                                    .outputs = {{dtype, br_shape_of(q.dim[0], q.dim[1], width), BR_NONE}},
                                });
}

/* Some rows of one picture, or all rows of several. */
typedef struct attention_piece {
    uint64_t picture, pictures, row, rows;
} attention_piece;

static uint64_t flops(const attention_attrs *attrs, attention_piece piece, uint64_t keys)
{
    uint64_t pairs = piece.rows * keys;
    if (attrs->causal)
        pairs = piece.rows * piece.row + piece.rows * (piece.rows + 1) / 2;
    /* Two products of the head's width, and of the softmax: scale, maximum, difference, exponential, sum. */
    return piece.pictures * pairs * (4 * (uint64_t)attrs->width + 5 * (uint64_t)attrs->heads);
}

/* D columns of consecutive rows of an operand. */
typedef struct attention_rows {
    br_slice slice;
    uint32_t stride; /* elements from a row to the next */
    uint64_t bytes;  /* read or written */
} attention_rows;

static attention_rows rows_make(const br_emitter *emitter, br_value value, uint64_t first, uint64_t count, uint32_t column,
                                uint32_t width)
{
    uint64_t stride = (uint64_t)br_shape_last(br_graph_shape(emitter->graph, value));
    return (attention_rows){
        .slice = br_slice_make(emitter, value, first * stride + column, (count - 1) * stride + width, BR_VK_READ),
        .stride = (uint32_t)stride,
        .bytes = count * width * (uint64_t)br_dtype_size(br_graph_dtype(emitter->graph, value)),
    };
}

/* Whether `count` neighbouring elements can be loaded at once. */
static bool rows_aligned(const attention_rows *rows, uint32_t count)
{
    return rows->slice.skip % count == 0 && rows->stride % count == 0;
}

/* What is left is `quads`, of `columns` columns each over a workgroup. */
static void split_columns(attention_tile *tile, uint32_t quads, uint32_t quads_max)
{
    tile->parts = quads <= quads_max ? 1 : (quads + quads_max - 1) / quads_max;
    tile->quads = (quads + tile->parts - 1) / tile->parts;
}

static attention_tile choose_lanes_tile(const br_vk_caps *caps, uint64_t rows, uint32_t head_width, bool vec, uint64_t work)
{
    uint32_t size = caps->subgroup_size, columns = 4 * size;
    uint32_t quads = (head_width + columns - 1) / columns, last = head_width % columns;
    bool wide = quads > LANES_QUADS;
    attention_tile tile = {
        .form = FORM_LANES,
        .threads = size,
        .rows = rows > LANES_ROWS_FEW && !wide ? LANES_ROWS : LANES_ROWS_FEW,
        .key_sets = wide ? LANES_KEY_SETS_WIDE : LANES_KEY_SETS,
    };
    if (vec && !wide && last && last <= 2 * size) {
        quads--;
        tile.rest = (last + size - 1) / size;
    }
    bool apart = !wide && !tile.rest && work < LANES_FEW_FLOPS;
    split_columns(&tile, quads, wide ? LANES_QUADS_WIDE : apart ? 1 : LANES_QUADS);
    return tile;
}

/* The shaders for br_gemm_unrolls, by their quads: for heads of up to 16, 48 (40), 80 and 160, and of 512. */
static const uint32_t unrolled_quads[] = {1, 3, 5, 8};
static const br_shader_id unrolled_ids[] = {BR_SHADER_ATTENTION_UNROLLED_1_F32, BR_SHADER_ATTENTION_UNROLLED_3_F32,
                                            BR_SHADER_ATTENTION_UNROLLED_5_F32, BR_SHADER_ATTENTION_UNROLLED_8_F32};

static attention_tile choose_unrolled_tile(uint32_t head_width)
{
    attention_tile tile = {.form = FORM_LANES, .threads = 4, .rows = UNROLLED_ROWS, .key_sets = LANES_KEY_SETS};
    uint32_t quads = (head_width + 15) / 16, least = UINT32_MAX;
    for (int i = 0; i < (int)(sizeof unrolled_quads / sizeof unrolled_quads[0]); i++) {
        /* Each part makes the scores, which is as much as the sums of all quads. */
        uint32_t parts = (quads + unrolled_quads[i] - 1) / unrolled_quads[i], work = parts * (quads + unrolled_quads[i]);
        if (work >= least)
            continue;
        least = work;
        tile.unrolled = i + 1;
        tile.quads = unrolled_quads[i];
        tile.parts = parts;
    }
    return tile;
}

static uint64_t padded(uint64_t count, uint64_t unit)
{
    return (count + unit - 1) / unit * unit;
}

/* Bytes of attention.comp. */
static uint64_t gpu_shared(const attention_tile *tile)
{
    uint64_t keys = (uint64_t)tile->key_sets * tile->tx, slab = (tile->rows + keys) * (tile->slab | 1);
    uint64_t v = keys % (512 / tile->tx) == 0 ? 512 : keys * tile->tx;
    return ((slab > v ? slab : v) + keys * (tile->rows / 4 + 1)) * 16;
}

/* Units of q and k in shared memory: heads of 40, 80 and 160 are 10, 20 and 40 quads, or 5, 10 and 20 of two: slabs of 5 have no padding there, 8 do for the others. */
static void choose_slab(attention_tile *tile, uint32_t quads, bool packed)
{
    uint32_t units = packed ? quads / 2 : quads;
    tile->slab = padded(units, 5) < padded(units, 8) ? 5 : 8;
    tile->packed = packed;
    tile->whole = units % tile->slab == 0;
}

/* Ten invocations along the columns have no padding for the same heads. */
static attention_tile choose_tile(const br_vk_caps *caps, uint64_t rows, uint64_t keys, uint32_t head_width, bool vec, bool packed)
{
    attention_tile tile = {.threads = GPU_THREADS, .rows = 32, .tx = 16};
    const attention_tile ten = {.threads = 120, .rows = 48, .tx = 10};
    uint32_t quads = (head_width + 3) / 4;
    bool few_registers = br_gemm_wants_small_tiles(caps);
    if (!few_registers && head_width > GPU_WIDE_HEAD && caps->max_invocations >= GPU_WIDE_THREADS) {
        tile.threads = GPU_WIDE_THREADS;
        tile.tx = 32;
    }
    choose_slab(&tile, quads, packed);
    if (packed && !tile.whole)
        choose_slab(&tile, quads, false);
    tile.whole = tile.whole && vec;
    uint64_t of_scores = padded(quads, tile.packed ? tile.slab * 2 : tile.slab);
    /* 120 invocations leave 8 of 128 idle. */
    uint64_t work = 15 * padded(rows, tile.rows) * (of_scores + padded(quads, tile.tx));
    if (16 * padded(rows, ten.rows) * (of_scores + padded(quads, ten.tx)) < work) {
        tile.threads = ten.threads;
        tile.rows = ten.rows;
        tile.tx = ten.tx;
    }
    /* Large blocks read less of q a product, but the last of 77 keys would be half empty with 64. Two workgroups are to fit: with one alone, a core would idle at
     * every barrier. */
    tile.key_sets = tile.tx > 16 ? 2 : 4;
    uint64_t block = (uint64_t)tile.key_sets * tile.tx, last = keys % block;
    if (few_registers || 2 * gpu_shared(&tile) > caps->max_shared || (last && last <= block / 2 && keys <= 256))
        tile.key_sets /= 2;
    split_columns(&tile, (quads + tile.tx - 1) / tile.tx, few_registers ? 1 : GPU_QUADS_MAX);
    return tile;
}

/* Heads that are whole slabs and not too wide, each invocation with one of the columns, or two. False: not for this head. */
static bool choose_broadcast_tile(const br_vk_caps *caps, uint32_t head_width, bool vec, attention_tile *out_tile)
{
    uint32_t quads = head_width / 4, slab = quads % 10 == 0 ? 10 : quads % 16 == 0 ? 16 : 8;
    bool wide = head_width > BROADCAST_THREADS_MAX; /* a quad of columns an invocation */
    uint32_t threads = (uint32_t)padded(wide ? quads : head_width, BROADCAST_ROWS);
    uint32_t rows = wide ? BROADCAST_ROWS_FEW : BROADCAST_ROWS;
    uint64_t shared = (uint64_t)rows * slab * 16 + ((uint64_t)rows * threads + threads + rows) * sizeof(float);
    if (!br_gemm_broadcasts(caps) || !vec || quads % slab != 0 || threads > BROADCAST_THREADS_MAX || shared > caps->max_shared)
        return false;
    *out_tile = (attention_tile){
        .form = FORM_BROADCAST, .threads = threads, .rows = rows, .quads = wide, .slab = slab, .whole = quads == slab, .parts = 1};
    return true;
}

/* Bytes of attention_matrix.comp. */
static uint64_t matrix_shared(const attention_tile *tile)
{
    uint64_t k_stride = tile->quads + 2, key_stride = BR_ATTENTION_MATRIX_KEYS / 4 + 2;
    uint64_t block = BR_ATTENTION_MATRIX_KEYS * k_stride + tile->quads * 4 * key_stride;
    uint64_t weights = tile->reduce ? 0 : tile->rows * key_stride;
    return (block + weights) * 8 + tile->rows * (tile->shape.n / 4 + 1) * 16;
}

static bool divides(uint32_t part, uint32_t whole)
{
    return part && whole % part == 0;
}

/* The matrix units' tile for `rows` rows of `heads` heads in all pictures together; false where they are not to be used or do not suit. What was measured of a
 * matrix product with as many outputs decides, and of attention itself. */
static bool choose_matrix_tile(const br_vk_caps *caps, uint64_t rows, uint64_t heads, uint32_t head_width, attention_tile *out_tile)
{
    br_gemm_tile gemm;
    br_vk_attention tuned = (br_vk_attention)caps->tuned.attention;
    if (tuned == BR_VK_ATTENTION_ORDINARY || head_width < MATRIX_HEAD_MIN || head_width > MATRIX_HEAD_MAX ||
        !caps->subgroup_shuffle || !caps->subgroup_vote || !br_gemm_tile_choose_matrix(caps, rows, heads * head_width, 0, &gemm))
        return false;
    br_vk_matrix_shape shape = gemm.shape;
    if (!divides(shape.n, MATRIX_SIDE_MAX) || !divides(shape.k, MATRIX_SIDE_MAX) || !divides(shape.m, gemm.subgroup) ||
        !divides(gemm.subgroup / shape.m, shape.n / 4))
        return false;
    attention_tile tile = {
        .form = FORM_MATRIX,
        .quads = (head_width + MATRIX_SIDE_MAX - 1) / MATRIX_SIDE_MAX * MATRIX_SIDE_MAX / 4,
        .parts = 1,
        .shape = shape,
        .reduce = caps->matrix_reduce && shape.n == shape.k &&
                  (tuned == BR_VK_ATTENTION_AUTO ? caps->prefer_reduce : tuned == BR_VK_ATTENTION_REDUCE),
        .subgroup = gemm.subgroup,
        .subgroup_asked = gemm.subgroup_asked,
    };
    tile.padded = head_width < tile.quads * 4;
    bool registers_full = caps->vendor_id == BR_VENDOR_AMD && head_width > MATRIX_HEAD_AMD;
    tile.keys_at_once = !tile.reduce && registers_full ? MATRIX_SIDE_MAX : BR_ATTENTION_MATRIX_KEYS;
    for (uint32_t subgroups = MATRIX_SUBGROUPS; subgroups >= MATRIX_SUBGROUPS_FEW; subgroups /= 2) {
        tile.threads = subgroups * gemm.subgroup;
        tile.rows = subgroups * shape.m;
        bool enough = subgroups == MATRIX_SUBGROUPS_FEW || rows * heads >= (uint64_t)MATRIX_MIN_GROUPS * tile.rows;
        if (enough && matrix_shared(&tile) <= caps->max_shared && tile.threads <= caps->max_invocations &&
            tile.threads <= caps->max_group_size[0]) {
            *out_tile = tile;
            return true;
        }
    }
    return false;
}

/* Fills the shader, the specialization constants and the size of subgroups. */
static void specialize(br_op_dispatch *dispatch, const attention_tile *tile, br_dtype dtype, bool vec, bool causal)
{
    static const br_shader_id ids[FORM_COUNT][2] = {{BR_SHADER_ATTENTION_F32, BR_SHADER_ATTENTION_F16},
                                                    {BR_SHADER_ATTENTION_LANES_F32, BR_SHADER_ATTENTION_LANES_F16},
                                                    {0, BR_SHADER_ATTENTION_MATRIX_F16},
                                                    {BR_SHADER_ATTENTION_BROADCAST_F32, BR_SHADER_ATTENTION_BROADCAST_F16}};
    static const uint32_t counts[FORM_COUNT] = {9, 7, 10, 7};
    const uint32_t spec[FORM_COUNT][6] = {
        {tile->tx, tile->key_sets, tile->slab, tile->whole, tile->packed},
        {tile->rows, tile->key_sets, tile->rest},
        {tile->shape.m, tile->shape.n, tile->shape.k, tile->subgroup, tile->keys_at_once, tile->padded},
        {tile->slab, tile->whole, tile->rows}};
    const uint32_t common[4] = {tile->threads, tile->quads, vec, causal};
    dispatch->shader = tile->unrolled ? unrolled_ids[tile->unrolled - 1]
                       : tile->reduce ? BR_SHADER_ATTENTION_REDUCE_F16
                                      : ids[tile->form][dtype == BR_F16];
    dispatch->spec_count = counts[tile->form];
    for (uint32_t i = 0; i < dispatch->spec_count; i++)
        dispatch->spec[i] = i < 4 ? common[i] : spec[tile->form][i - 4];
    dispatch->subgroup_size = tile->subgroup_asked ? tile->subgroup : 0;
}

static br_status emit_piece(br_emitter *emitter, const br_node *node, attention_piece piece)
{
    const attention_attrs *attrs = node->attrs;
    const br_graph *graph = emitter->graph;
    uint64_t queries = (uint64_t)br_graph_shape(graph, node->inputs[0]).dim[1];
    uint64_t keys = (uint64_t)br_graph_shape(graph, node->inputs[1]).dim[1];
    uint64_t row = piece.picture * queries + piece.row, rows = piece.pictures * piece.rows;
    uint64_t key = piece.picture * keys, key_rows = piece.pictures * keys;
    attention_rows q = rows_make(emitter, node->inputs[0], row, rows, attrs->q_column, attrs->width);
    attention_rows k = rows_make(emitter, node->inputs[1], key, key_rows, attrs->k_column, attrs->width);
    attention_rows v = rows_make(emitter, node->inputs[2], key, key_rows, attrs->v_column, attrs->width);
    attention_rows y = rows_make(emitter, node->outputs[0], row, rows, 0, attrs->width);
    y.slice.operand.access = BR_VK_WRITE;

    uint32_t head_width = attrs->width / (uint32_t)attrs->heads;
    bool vec = head_width % 4 == 0 && rows_aligned(&q, 4) && rows_aligned(&k, 4) && rows_aligned(&v, 4) && rows_aligned(&y, 4);
    bool lanes = br_gemm_has_lanes(emitter->caps) && emitter->caps->subgroup_size <= LANES_ROWS_FEW;
    br_dtype dtype = br_graph_dtype(graph, node->outputs[0]);
    uint64_t work = flops(attrs, piece, keys);
    attention_tile tile;
    bool halves = dtype == BR_F16 && vec && head_width % 8 == 0 && rows_aligned(&k, 8);
    bool packed = halves && rows_aligned(&q, 8) && br_gemm_mixes_f16(emitter->caps);
    bool matrix = halves && keys >= BR_ATTENTION_MATRIX_KEYS && attrs->scale >= MATRIX_SCALE_MIN &&
                  choose_matrix_tile(emitter->caps, rows, (uint64_t)attrs->heads, head_width, &tile);
    if (vec && dtype == BR_F32 && br_gemm_unrolls(emitter->caps))
        tile = choose_unrolled_tile(head_width);
    else if (!matrix && lanes)
        tile = choose_lanes_tile(emitter->caps, piece.rows, head_width, vec, work);
    else if (!matrix && !choose_broadcast_tile(emitter->caps, head_width, vec, &tile))
        tile = choose_tile(emitter->caps, piece.rows, keys, head_width, vec, packed);
    uint32_t row_blocks = (uint32_t)((piece.rows + tile.rows - 1) / tile.rows);

    br_attention_push push = {
        .total = row_blocks * tile.parts * (uint32_t)attrs->heads * (uint32_t)piece.pictures,
        .row_blocks = row_blocks,
        .parts = tile.parts,
        .heads = (uint32_t)attrs->heads,
        .rows = (uint32_t)piece.rows,
        .first_row = (uint32_t)piece.row,
        .keys = (uint32_t)keys,
        .head_width = head_width,
        .q_stride = q.stride,
        .k_stride = k.stride,
        .v_stride = v.stride,
        .y_stride = y.stride,
        .scale = (float)(attrs->scale * LOG2_E),
        .q_first = q.slice.skip,
        .k_first = k.slice.skip,
        .v_first = v.slice.skip,
        .y_first = y.slice.skip,
    };
    br_op_dispatch dispatch = {
        .push_size = sizeof push,
        .operand_count = BR_ATTENTION_BINDINGS,
        .operands = {q.slice.operand, k.slice.operand, v.slice.operand, y.slice.operand},
        .flops = work,
        .bytes = q.bytes + k.bytes + v.bytes + y.bytes,
    };
    specialize(&dispatch, &tile, dtype, vec, attrs->causal);
    memcpy(dispatch.push, &push, sizeof push);
    br_emit_fold(emitter, push.total, dispatch.groups);
    return br_emit_dispatch(emitter, &dispatch);
}

br_status br_emit_attention(br_emitter *emitter, const br_node *node)
{
    br_shape q = br_graph_shape(emitter->graph, node->inputs[0]);
    uint64_t pictures = (uint64_t)q.dim[0], rows = (uint64_t)q.dim[1];
    const br_value operands[] = {node->inputs[0], node->inputs[1], node->inputs[2], node->outputs[0]};
    bool whole = true;
    for (int i = 0; i < BR_ATTENTION_BINDINGS; i++)
        whole = whole && (uint64_t)br_graph_bytes(emitter->graph, operands[i]) <= emitter->caps->max_storage_range;
    if (whole)
        return emit_piece(emitter, node, (attention_piece){0, pictures, 0, rows});
    /* Keys and values of a picture stay in one piece: 128 MiB hold 65,536 of them at D = 512. More are refused when the dispatch is checked. */
    uint64_t step = rows;
    for (int i = 0; i < BR_ATTENTION_BINDINGS; i += BR_ATTENTION_Y) {
        uint64_t fit = br_slice_rows(emitter, operands[i], (uint64_t)br_shape_last(br_graph_shape(emitter->graph, operands[i])));
        step = fit < step ? fit : step;
    }
    step = step < 1 ? 1 : step;
    for (uint64_t picture = 0; picture < pictures; picture++)
        for (uint64_t row = 0; row < rows; row += step)
            BR_TRY(emit_piece(emitter, node, (attention_piece){picture, 1, row, rows - row < step ? rows - row : step}));
    return NULL;
}
