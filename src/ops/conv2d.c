#include <assert.h>
#include <string.h>

#include "ops/conv2d.h"
#include "ops/gemm.h"
#include "ops/slice.h"
#include "ops/winograd.h"

typedef struct conv2d_attrs {
    int stride, pad_top, pad_left;
    int64_t bias_stride; /* from the bias of one picture to that of the next; 0: all have the same */
    int64_t bias_column;
    int64_t height, width; /* of x as it is read */
    br_activation activation;
} conv2d_attrs;

/* Indices times sizes stay below 2^32. */
#define UPSAMPLED_MAX 65535
/* The part of y that lies before the x that it takes over. The first slab fills that; each makes room for the next one, larger as much as x is wider than y. So five
 * slabs make half the channels, none of them too short for a large GPU, and of the memory that y would take the sixteenth part remains. */
#define LEAD_PART 16

enum { INPUT_X, INPUT_WEIGHT, INPUT_BIAS, INPUT_RESIDUAL, INPUT_COUNT };

/* [B, H, W, I] · [O, KH, KW, I] -> [B, Ho, Wo, O]; H × W as stored */
typedef struct conv2d_shape {
    int64_t pictures, height, width, in_channels, out_channels, kernel_h, kernel_w, out_height, out_width;
} conv2d_shape;

/* What one dispatch makes. */
typedef struct conv2d_piece {
    int64_t picture, pictures, line, lines, channel, channels;
} conv2d_piece;

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static bool check_bias(br_graph *graph, const char *name, const br_conv2d_params *params, int64_t pictures, int64_t channels,
                       conv2d_attrs *attrs)
{
    if (params->bias == BR_NONE)
        return true;
    br_shape shape = br_graph_shape(graph, params->bias);
    bool rows = shape.rank == 2 && shape.dim[0] == pictures && pictures > 1;
    attrs->bias_column = params->bias_column;
    attrs->bias_stride = rows ? br_shape_last(shape) : 0;
    if (br_graph_dtype(graph, params->bias) == BR_F32 && params->bias_column >= 0 &&
        br_shape_last(shape) - channels >= params->bias_column &&
        (shape.rank == 1 || (shape.rank == 2 && (shape.dim[0] == 1 || rows))))
        return true;
    br_graph_fail(graph, BR_ERROR_ARGUMENT,
                  "%s: conv2d bias is %s %s, expected f32 [N], [1, N] or [%lld, N] with columns %lld to %lld", name,
                  br_dtype_name(br_graph_dtype(graph, params->bias)), br_shape_format(shape).text, (long long)pictures,
                  (long long)params->bias_column, (long long)(params->bias_column + channels - 1));
    return false;
}

/* The size that x is read with. */
static bool check_upsampled(br_graph *graph, const char *name, const br_conv2d_params *params, br_shape x, conv2d_attrs *attrs)
{
    bool none = params->upsampled_height == 0 && params->upsampled_width == 0;
    attrs->height = none ? x.dim[1] : params->upsampled_height;
    attrs->width = none ? x.dim[2] : params->upsampled_width;
    if (attrs->height >= x.dim[1] && attrs->width >= x.dim[2] && attrs->height <= UPSAMPLED_MAX && attrs->width <= UPSAMPLED_MAX)
        return true;
    br_graph_fail(graph, BR_ERROR_ARGUMENT, "%s: conv2d x is %s, read as %lld × %lld; expected at least its size and at most %d",
                  name, br_shape_format(x).text, (long long)attrs->height, (long long)attrs->width, UPSAMPLED_MAX);
    return false;
}

/* Bytes that y lies before x, so that a line of it can be made at any time; 0 once an error is recorded. */
static int64_t choose_lead(br_graph *graph, const char *name, const br_conv2d_params *params, br_shape x, br_shape y)
{
    if (params->residual != BR_NONE || params->stride != 1 || params->upsampled_height || y.dim[1] != x.dim[1] ||
        y.dim[2] != x.dim[2] || y.dim[3] > x.dim[3]) {
        br_graph_fail(graph, BR_ERROR_ARGUMENT, "%s: conv2d of %s over its x, %s, which is for stride 1, one size and no residual",
                      name, br_shape_format(y).text, br_shape_format(x).text);
        return 0;
    }
    int64_t size = br_dtype_size(br_graph_dtype(graph, params->x)), x_line = x.dim[2] * x.dim[3] * size,
            y_line = y.dim[2] * y.dim[3] * size;
    /* The least with which every line fits before what it reads: line l of all ends y_line · (l + 1) bytes after the beginning of y, and reads what lies
     * x_line · (l - pad_top) after that of x, or later; y_line <= x_line. */
    return larger(br_shape_count(y) * size / LEAD_PART, y_line + params->pad_top * x_line);
}

br_value br_op_conv2d(br_graph *graph, const char *name, const br_conv2d_params *params)
{
    if (params->x == BR_NONE || params->weight == BR_NONE || br_graph_failed(graph))
        return BR_NONE;
    br_shape x = br_graph_shape(graph, params->x), weight = br_graph_shape(graph, params->weight);
    if (x.rank != 4)
        return br_graph_fail(graph, BR_ERROR_ARGUMENT, "%s: conv2d x is %s, expected [B, H, W, C]", name, br_shape_format(x).text);
    if (weight.rank != 4 || weight.dim[3] != x.dim[3])
        return br_graph_fail(graph, BR_ERROR_ARGUMENT, "%s: conv2d weight is %s, expected [O, KH, KW, %lld] for x %s", name,
                             br_shape_format(weight).text, (long long)x.dim[3], br_shape_format(x).text);
    if (!br_gemm_check_dtypes(graph, "conv2d", params->x, params->weight))
        return BR_NONE;
    if (params->stride < 1 || params->pad_top < 0 || params->pad_left < 0 || params->pad_bottom < 0 || params->pad_right < 0)
        return br_graph_fail(graph, BR_ERROR_ARGUMENT,
                             "%s: conv2d stride is %d and padding %d, %d, %d, %d; expected at least 1 and 0", name, params->stride,
                             params->pad_top, params->pad_left, params->pad_bottom, params->pad_right);
    conv2d_attrs attrs = {
        .stride = params->stride, .pad_top = params->pad_top, .pad_left = params->pad_left, .activation = params->activation};
    if (!check_upsampled(graph, name, params, x, &attrs))
        return BR_NONE;
    int64_t padded_h = attrs.height + params->pad_top + params->pad_bottom,
            padded_w = attrs.width + params->pad_left + params->pad_right;
    if (padded_h < weight.dim[1] || padded_w < weight.dim[2])
        return br_graph_fail(graph, BR_ERROR_ARGUMENT,
                             "%s: conv2d input of %lld × %lld with padding is smaller than the kernel, %lld × %lld", name,
                             (long long)padded_h, (long long)padded_w, (long long)weight.dim[1], (long long)weight.dim[2]);
    br_shape y = br_shape_of(x.dim[0], (padded_h - weight.dim[1]) / params->stride + 1,
                             (padded_w - weight.dim[2]) / params->stride + 1, weight.dim[0]);
    if (!check_bias(graph, name, params, x.dim[0], weight.dim[0], &attrs))
        return BR_NONE;
    br_dtype dtype = br_graph_dtype(graph, params->x);
    bool residual = params->residual != BR_NONE;
    if (residual &&
        (!br_shape_equal(br_graph_shape(graph, params->residual), y) || br_graph_dtype(graph, params->residual) != dtype))
        return br_graph_fail(graph, BR_ERROR_ARGUMENT, "%s: conv2d residual is %s %s, expected %s %s", name,
                             br_dtype_name(br_graph_dtype(graph, params->residual)),
                             br_shape_format(br_graph_shape(graph, params->residual)).text, br_dtype_name(dtype),
                             br_shape_format(y).text);
    int64_t lead = params->over_x ? choose_lead(graph, name, params, x, y) : 0;
    if (params->over_x && lead == 0)
        return BR_NONE;
    int in_place = params->over_x ? INPUT_X : -1;
    /* Each element of the residual is read by the invocation that writes it; x is read by its neighbours too. */
    if (residual && br_graph_root(graph, params->residual) != br_graph_root(graph, params->x))
        in_place = INPUT_RESIDUAL;
    return br_graph_node(graph, &(br_node_params){
                                    .op = BR_OP_conv2d,
                                    .name = name,
                                    .input_count = INPUT_COUNT,
                                    .inputs = {params->x, params->weight, params->bias, params->residual},
                                    .attrs = &attrs,
                                    .attrs_size = sizeof attrs,
                                    .in_place = in_place,
                                    .in_place_lead = lead,
                                    .output_count = 1,
                                    .outputs = {{dtype, y, BR_NONE}},
                                });
}

static conv2d_shape shape_of(const br_graph *graph, const br_node *node)
{
    br_shape x = br_graph_shape(graph, node->inputs[INPUT_X]), w = br_graph_shape(graph, node->inputs[INPUT_WEIGHT]);
    br_shape y = br_graph_shape(graph, node->outputs[0]);
    return (conv2d_shape){x.dim[0], x.dim[1], x.dim[2], x.dim[3], w.dim[0], w.dim[1], w.dim[2], y.dim[1], y.dim[2]};
}

static br_status emit_piece(br_emitter *emitter, const br_node *node, const conv2d_shape *shape, conv2d_piece piece)
{
    const conv2d_attrs *attrs = node->attrs;
    br_value weight = node->inputs[INPUT_WEIGHT], bias = node->inputs[INPUT_BIAS], residual = node->inputs[INPUT_RESIDUAL];
    int64_t in_line = shape->width * shape->in_channels, out_line = shape->out_width * shape->out_channels;
    int64_t kernel = shape->kernel_h * shape->kernel_w * shape->in_channels;

    /* Input lines under the piece, without the padding; at least one, so that there is something to bind. */
    int64_t top = piece.line * attrs->stride - attrs->pad_top;
    int64_t bottom = smaller((piece.line + piece.lines - 1) * attrs->stride - attrs->pad_top + shape->kernel_h, attrs->height);
    top = top < 0 ? 0 : smaller(top, attrs->height - 1);
    bottom = bottom <= top ? top + 1 : bottom;
    top = top * shape->height / attrs->height;
    bottom = (bottom - 1) * shape->height / attrs->height + 1;
    if (piece.pictures > 1) {
        top = 0;
        bottom = shape->height;
    }
    uint64_t x_begin = (uint64_t)((piece.picture * shape->height + top) * in_line);
    uint64_t x_count = (uint64_t)(((piece.pictures - 1) * shape->height + bottom - top) * in_line);
    uint64_t y_begin = (uint64_t)((piece.picture * shape->out_height + piece.line) * out_line);
    uint64_t y_count = (uint64_t)(piece.pictures * piece.lines * out_line);
    br_slice x = br_slice_make(emitter, node->inputs[INPUT_X], x_begin, x_count, BR_VK_READ);
    br_slice w =
        br_slice_make(emitter, weight, (uint64_t)(piece.channel * kernel), (uint64_t)(piece.channels * kernel), BR_VK_READ);
    br_slice y = br_slice_make(emitter, node->outputs[0], y_begin, y_count, BR_VK_WRITE);
    br_slice bias_slice = {.operand = br_gemm_unused(emitter, weight)}, residual_slice = bias_slice;
    if (bias != BR_NONE)
        bias_slice =
            br_slice_make(emitter, bias, (uint64_t)(piece.picture * attrs->bias_stride + attrs->bias_column + piece.channel),
                          (uint64_t)((piece.pictures - 1) * attrs->bias_stride + piece.channels), BR_VK_READ);
    if (residual != BR_NONE)
        residual_slice = br_slice_make(emitter, residual, y_begin, y_count, BR_VK_READ);

    uint64_t m = (uint64_t)(piece.pictures * piece.lines * shape->out_width);
    bool x_f16 = br_graph_dtype(emitter->graph, node->inputs[INPUT_X]) == BR_F16,
         w_f16 = br_graph_dtype(emitter->graph, weight) == BR_F16;
    bool whole = piece.pictures == shape->pictures && piece.lines == shape->out_height && piece.channels == shape->out_channels;
    uint64_t depth = whole ? (uint64_t)kernel : 0; /* cut products have work for all cores anyway */
    br_gemm_tile tile;
    if (!x_f16 || !w_f16 || !br_gemm_tile_choose_matrix(emitter->caps, m, (uint64_t)piece.channels, depth, &tile))
        tile = br_gemm_tile_choose(emitter->caps, m, (uint64_t)piece.channels, depth);
    uint64_t tiles_m = (m + br_gemm_tile_m(tile) - 1) / br_gemm_tile_m(tile);
    uint32_t tiles_n = (uint32_t)(((uint64_t)piece.channels + br_gemm_tile_n(tile) - 1) / br_gemm_tile_n(tile));
    bool lanes = tile.form == BR_GEMM_LANES;
    bool doubled = lanes && attrs->height == 2 * shape->height && attrs->width == 2 * shape->width;
    br_conv2d_push push = {
        .total = (uint32_t)(tiles_m * tiles_n),
        .tiles_n = tiles_n,
        .m = (uint32_t)m,
        .n = (uint32_t)piece.channels,
        .depth = (uint32_t)shape->in_channels,
        .kernel_w = (uint32_t)shape->kernel_w,
        .taps = (uint32_t)(shape->kernel_h * shape->kernel_w),
        .stride = (uint32_t)attrs->stride,
        .pad_top = attrs->pad_top,
        .pad_left = attrs->pad_left,
        .height = (int)attrs->height,
        .width = (int)attrs->width,
        .x_height = (int)shape->height,
        .x_width = (int)shape->width,
        .slab_top = (int)top,
        .x_picture = (uint32_t)(shape->height * in_line),
        .y0 = (uint32_t)piece.line,
        .out_width = (uint32_t)shape->out_width,
        .out_pixels = (uint32_t)(piece.lines * shape->out_width),
        .x_first = x.skip,
        .w_first = w.skip,
        .y_first = y.skip + (uint32_t)piece.channel,
        .y_stride = (uint32_t)shape->out_channels,
        .bias_first = bias_slice.skip,
        .bias_stride = (uint32_t)attrs->bias_stride,
        .residual_first = residual_slice.skip + (uint32_t)piece.channel,
        .parts = tile.parts,
        .doubled = doubled,
    };
    uint32_t ends = push.n | push.y_stride | push.y_first | push.bias_first | push.bias_stride | push.residual_first;
    if (lanes && residual == BR_NONE)
        push.residual_first = BR_ABSENT;
    br_gemm_tile_widen(&tile, x_f16 || w_f16, (uint64_t)shape->in_channels | x.skip | w.skip);
    static const br_shader_id ids[BR_GEMM_FORMS][2][2] = {
        {{BR_SHADER_CONV2D_F32_F32, BR_SHADER_CONV2D_F32_F16}, {BR_SHADER_CONV2D_F16_F32, BR_SHADER_CONV2D_F16_F16}},
        {{BR_SHADER_CONV2D_LANES_F32_F32, BR_SHADER_CONV2D_LANES_F32_F16},
         {BR_SHADER_CONV2D_LANES_F16_F32, BR_SHADER_CONV2D_LANES_F16_F16}},
        {{BR_SHADER_CONV2D_BROADCAST_F32_F32, BR_SHADER_CONV2D_BROADCAST_F32_F16},
         {BR_SHADER_CONV2D_BROADCAST_F16_F32, BR_SHADER_CONV2D_BROADCAST_F16_F16}},
        {{0}, {[1] = BR_SHADER_CONV2D_MATRIX_F16}},
    };
    static const br_shader_id unrolled[] = {BR_SHADER_CONV2D_UNROLLED_F32_F32};
    br_op_dispatch dispatch = {
        .shader = ids[tile.form][x_f16][w_f16],
        .push_size = sizeof push,
        .operand_count = BR_CONV2D_BINDINGS,
        .operands = {x.operand, w.operand, y.operand, bias_slice.operand, residual_slice.operand},
        .flops = m * (uint64_t)piece.channels * (2 * (uint64_t)kernel + (bias != BR_NONE) + (residual != BR_NONE)),
    };
    memcpy(dispatch.push, &push, sizeof push);
    bool load = shape->in_channels % 4 == 0 && x.skip % 4 == 0 && w.skip % 4 == 0;
    br_gemm_residual kind = residual != BR_NONE ? BR_GEMM_RESIDUAL_FULL : BR_GEMM_RESIDUAL_NONE;
    uint32_t flags = (load ? BR_GEMM_VEC_LOAD : 0) | (ends % 4 == 0 ? BR_GEMM_VEC_STORE : 0) |
                     br_gemm_depth_flag(tile, (uint64_t)shape->in_channels, (uint64_t)shape->in_channels | x.skip | w.skip);
    return br_gemm_emit(emitter, &dispatch,
                        &(br_gemm_launch){.tile = tile,
                                          .flags = flags,
                                          .epilogue = {attrs->activation, bias != BR_NONE, kind},
                                          .m = m,
                                          .n = (uint64_t)piece.channels,
                                          .op_spec_count = 1,
                                          .op_spec = !doubled && (attrs->height != shape->height || attrs->width != shape->width),
                                          .parts = x_f16 ? BR_SHADER_CONV2D_PARTS_F16 : BR_SHADER_CONV2D_PARTS_F32,
                                          .unrolled = x_f16 || w_f16 ? NULL : unrolled});
}

/* Output lines whose input lines (and themselves) fit the ranges; at least 1: what does not fit then is refused, with the numbers, when the dispatch is
 * checked. */
static int64_t lines_that_fit(const br_emitter *emitter, const br_node *node, const conv2d_shape *shape)
{
    const conv2d_attrs *attrs = node->attrs;
    uint64_t out_line = (uint64_t)(shape->out_width * shape->out_channels);
    int64_t in_lines = (int64_t)br_slice_rows(emitter, node->inputs[INPUT_X], (uint64_t)(shape->width * shape->in_channels));
    bool whole = in_lines >= shape->pictures * shape->height;
    /* v lines of x as it is read lie, wherever they begin, in at most ceil((v - 1) · H / upsampled H) + 1 stored ones. */
    in_lines = (in_lines - 1) * attrs->height / shape->height + 1;
    int64_t lines = whole ? shape->out_height : (in_lines - shape->kernel_h) / attrs->stride + 1;
    lines = smaller(lines, (int64_t)br_slice_rows(emitter, node->outputs[0], out_line));
    if (node->inputs[INPUT_RESIDUAL] != BR_NONE)
        lines = smaller(lines, (int64_t)br_slice_rows(emitter, node->inputs[INPUT_RESIDUAL], out_line));
    return lines < 1 ? 1 : smaller(lines, shape->out_height);
}

/* Lines of y, from `line` of `picture` on and through the next pictures, that end before the first line of x which they or later ones read, should y have taken
 * over its storage. */
static int64_t lines_free(const br_emitter *emitter, const br_node *node, const conv2d_shape *shape, int64_t picture, int64_t line)
{
    const conv2d_attrs *attrs = node->attrs;
    if (node->in_place_lead == 0)
        return INT64_MAX;
    int64_t lead = node->in_place_lead / br_dtype_size(br_graph_dtype(emitter->graph, node->outputs[0]));
    int64_t first_read = picture * shape->height + larger(line - attrs->pad_top, 0);
    return (lead + first_read * shape->width * shape->in_channels) / (shape->out_width * shape->out_channels) -
           (picture * shape->out_height + line);
}

/* Pictures as a whole, or lines of one. */
static conv2d_piece piece_from(const br_emitter *emitter, const br_node *node, const conv2d_shape *shape, const conv2d_piece *most,
                               int64_t done)
{
    conv2d_piece piece = {.picture = done / shape->out_height, .pictures = 1, .line = done % shape->out_height};
    int64_t room = lines_free(emitter, node, shape, piece.picture, piece.line);
    assert(room > 0);
    piece.lines = smaller(smaller(most->lines, room), shape->out_height - piece.line);
    if (piece.lines == shape->out_height)
        piece.pictures = smaller(smaller(most->pictures, room / shape->out_height), shape->pictures - piece.picture);
    return piece;
}

static bool fits(const br_emitter *emitter, br_value value)
{
    return value == BR_NONE || (uint64_t)br_graph_bytes(emitter->graph, value) <= emitter->caps->max_storage_range;
}

br_status br_emit_conv2d(br_emitter *emitter, const br_node *node)
{
    const conv2d_attrs *attrs = node->attrs;
    br_shape weight = br_graph_shape(emitter->graph, node->inputs[INPUT_WEIGHT]);
    br_shape y = br_graph_shape(emitter->graph, node->outputs[0]);
    br_winograd_conv conv = {.x = node->inputs[INPUT_X],
                             .weight = node->inputs[INPUT_WEIGHT],
                             .bias = node->inputs[INPUT_BIAS],
                             .residual = node->inputs[INPUT_RESIDUAL],
                             .y = node->outputs[0],
                             .height = attrs->height,
                             .width = attrs->width,
                             .bias_stride = attrs->bias_stride,
                             .bias_column = attrs->bias_column,
                             .pad_top = attrs->pad_top,
                             .pad_left = attrs->pad_left,
                             .activation = attrs->activation,
                             .slabs = br_winograd_cut(weight, attrs->stride, y)};
    /* Over x, too: a slab of it is transformed as a whole before any of y is written, and the next one lies the lead behind that. */
    if (br_winograd_wins(emitter, &conv)) {
        BR_TRY(br_emit_scratch(emitter, "winograd", BR_F32, br_shape_of(conv.slabs.count), &conv.scratch));
        return br_winograd_emit(emitter, &conv);
    }
    conv2d_shape shape = shape_of(emitter->graph, node);
    br_value bias = node->inputs[INPUT_BIAS];
    bool whole = fits(emitter, node->inputs[INPUT_X]) && fits(emitter, node->outputs[0]) &&
                 fits(emitter, node->inputs[INPUT_RESIDUAL]) && fits(emitter, bias);
    conv2d_piece most = {.pictures = whole ? shape.pictures : 1,
                         .lines = whole ? shape.out_height : lines_that_fit(emitter, node, &shape)};
    int64_t channels = (int64_t)br_slice_rows(emitter, node->inputs[INPUT_WEIGHT],
                                              (uint64_t)(shape.kernel_h * shape.kernel_w * shape.in_channels));
    if (bias != BR_NONE)
        channels = smaller(channels, (int64_t)br_slice_rows(emitter, bias, 1));
    channels = channels < 1 ? 1 : smaller(channels, shape.out_channels);

    for (int64_t done = 0; done < shape.pictures * shape.out_height;) {
        conv2d_piece piece = piece_from(emitter, node, &shape, &most, done);
        for (; piece.channel < shape.out_channels; piece.channel += piece.channels) {
            piece.channels = smaller(channels, shape.out_channels - piece.channel);
            BR_TRY(emit_piece(emitter, node, &shape, piece));
        }
        done += piece.pictures * piece.lines;
    }
    return NULL;
}
