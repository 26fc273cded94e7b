#include "ops/winograd.h"

#include <string.h>

#include "ops/conv2d_winograd.h"
#include "ops/elementwise.h"
#include "ops/gemm.h"
#include "ops/slice.h"

#define TILE 4   /* outputs of a tile along a line */
#define ALL 36   /* products of a tile */
#define ALIGN 64 /* elements; 256 bytes satisfy every device */

/* Of f32: 16 MiB. Enough for some hundred tiles of 256 channels, a small part of a decoder's activations. */
#define SCRATCH_COUNT (4 << 20)
/* Kernels are transformed once where they take no more than this part of it, else again for every slab of lines. */
#define KERNELS_PART 4
/* Of fewer channels the transforms take longer than what they save. */
#define CHANNELS_MIN 32
/* Smaller pictures are a UNet's: several slabs a convolution would be more dispatches than all its other ops make. */
#define PIXELS_MIN (64 * 64 + 1)

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t over(int64_t count, int64_t unit)
{
    return (count + unit - 1) / unit;
}

br_winograd_slabs br_winograd_cut(br_shape weight, int stride, br_shape y)
{
    int64_t in = weight.dim[3], out = weight.dim[0], line = over(y.dim[2], TILE);
    /* A convolution that narrows has the widest x of a decoder beside its y: there, memory is what is short. */
    if (weight.dim[1] != 3 || weight.dim[2] != 3 || stride != 1 || in % 4 || out % 4 || in < CHANNELS_MIN || out < in ||
        y.dim[1] * y.dim[2] < PIXELS_MIN)
        return (br_winograd_slabs){0};
    br_winograd_slabs slabs = {.channels = out};
    if (ALL * out * in > SCRATCH_COUNT / KERNELS_PART) {
        slabs.channels = SCRATCH_COUNT / KERNELS_PART / (ALL * in) / CHANNELS_MIN * CHANNELS_MIN;
        if (slabs.channels == 0)
            slabs.channels = CHANNELS_MIN;
    }
    slabs.v = over(ALL * slabs.channels * in, ALIGN) * ALIGN;
    slabs.lines = (SCRATCH_COUNT - ALIGN - slabs.v) / (ALL * line * (in + slabs.channels));
    if (slabs.lines < 1)
        return (br_winograd_slabs){0};
    int64_t all_lines = over(y.dim[1], TILE);
    slabs.lines = over(all_lines, over(all_lines, slabs.lines)); /* as alike as they can be */
    slabs.s = slabs.v + over(ALL * slabs.lines * line * in, ALIGN) * ALIGN;
    slabs.count = slabs.s + ALL * slabs.lines * line * slabs.channels;
    return slabs;
}

/* The stored lines of x under output lines [line, line + lines). */
static void lines_under(const br_winograd_conv *conv, int64_t stored, int64_t line, int64_t lines, int64_t *out_top,
                        int64_t *out_lines)
{
    int64_t top = line - conv->pad_top, bottom = smaller(line + lines - conv->pad_top + 2, conv->height);
    top = top < 0 ? 0 : smaller(top, conv->height - 1);
    bottom = bottom <= top ? top + 1 : bottom;
    *out_top = top * stored / conv->height;
    *out_lines = (bottom - 1) * stored / conv->height + 1 - *out_top;
}

bool br_winograd_wins(const br_emitter *emitter, const br_winograd_conv *conv)
{
    const br_winograd_slabs *slabs = &conv->slabs;
    if (slabs->lines == 0 || !br_gemm_has_lanes(emitter->caps))
        return false;
    br_shape x = br_graph_shape(emitter->graph, conv->x), y = br_graph_shape(emitter->graph, conv->y);
    uint64_t x_line = (uint64_t)(x.dim[2] * x.dim[3]), y_line = (uint64_t)(y.dim[2] * y.dim[3]);
    uint64_t y_lines = (uint64_t)smaller(slabs->lines * TILE, y.dim[1]), kernel = 9 * (uint64_t)x.dim[3];
    uint64_t x_lines = (uint64_t)smaller(slabs->lines * TILE + 2, x.dim[1]);
    return br_slice_rows(emitter, conv->x, x_line) >= x_lines && br_slice_rows(emitter, conv->y, y_line) >= y_lines &&
           (conv->residual == BR_NONE || br_slice_rows(emitter, conv->residual, y_line) >= y_lines) &&
           br_slice_rows(emitter, conv->weight, kernel) >= (uint64_t)slabs->channels &&
           (conv->bias == BR_NONE || br_slice_rows(emitter, conv->bias, 1) >= (uint64_t)slabs->channels) &&
           (uint64_t)slabs->count * sizeof(float) <= emitter->caps->max_storage_range;
}

/* What one dispatch makes. */
typedef struct winograd_piece {
    int64_t picture, line, lines, channel, channels; /* lines of outputs */
    int64_t tiles;
} winograd_piece;

static br_slice scratch(const br_emitter *emitter, const br_winograd_conv *conv, int64_t first, int64_t count, br_vk_access access)
{
    return br_slice_make(emitter, conv->scratch, (uint64_t)first, (uint64_t)count, access);
}

static bool is_half(const br_emitter *emitter, br_value value)
{
    return br_graph_dtype(emitter->graph, value) == BR_F16;
}

static br_status emit_weights(br_emitter *emitter, const br_winograd_conv *conv, const winograd_piece *piece)
{
    int64_t in = br_shape_last(br_graph_shape(emitter->graph, conv->weight));
    br_slice pieces[] = {
        [BR_WINOGRAD_FROM] = br_slice_make(emitter, conv->weight, (uint64_t)(piece->channel * 9 * in),
                                           (uint64_t)(piece->channels * 9 * in), BR_VK_READ),
        [BR_WINOGRAD_TO] = scratch(emitter, conv, 0, ALL * piece->channels * in, BR_VK_WRITE),
    };
    br_conv2d_winograd_push push = {.total = (uint32_t)(piece->channels * in / 4),
                                    .n = (uint32_t)piece->channels,
                                    .depth = (uint32_t)in,
                                    .from_first = pieces[BR_WINOGRAD_FROM].skip};
    return br_elementwise_emit(emitter, &(br_elementwise_params){.shader = is_half(emitter, conv->weight)
                                                                               ? BR_SHADER_CONV2D_WINOGRAD_WEIGHTS_F16
                                                                               : BR_SHADER_CONV2D_WINOGRAD_WEIGHTS_F32,
                                                                 .pieces = pieces,
                                                                 .piece_count = 2,
                                                                 .push = &push,
                                                                 .push_size = sizeof push,
                                                                 .items = push.total,
                                                                 .vector = 4});
}

static br_status emit_input(br_emitter *emitter, const br_winograd_conv *conv, const winograd_piece *piece)
{
    br_shape x = br_graph_shape(emitter->graph, conv->x);
    int64_t top, lines, line = x.dim[2] * x.dim[3];
    lines_under(conv, x.dim[1], piece->line, piece->lines, &top, &lines);
    br_slice pieces[] = {
        [BR_WINOGRAD_FROM] = br_slice_make(emitter, conv->x, (uint64_t)((piece->picture * x.dim[1] + top) * line),
                                           (uint64_t)(lines * line), BR_VK_READ),
        [BR_WINOGRAD_TO] = scratch(emitter, conv, conv->slabs.v, ALL * piece->tiles * x.dim[3], BR_VK_WRITE),
    };
    br_conv2d_winograd_push push = {
        .total = (uint32_t)(piece->tiles * x.dim[3] / 4),
        .m = (uint32_t)piece->tiles,
        .depth = (uint32_t)x.dim[3],
        .line_tiles = (uint32_t)(piece->tiles / over(piece->lines, TILE)),
        .pad_top = conv->pad_top,
        .pad_left = conv->pad_left,
        .height = (int)conv->height,
        .width = (int)conv->width,
        .x_height = (int)x.dim[1],
        .x_width = (int)x.dim[2],
        .slab_top = (int)top,
        .y0 = (uint32_t)piece->line,
        .from_first = pieces[BR_WINOGRAD_FROM].skip,
    };
    return br_elementwise_emit(emitter,
                               &(br_elementwise_params){.shader = is_half(emitter, conv->x) ? BR_SHADER_CONV2D_WINOGRAD_INPUT_F16
                                                                                            : BR_SHADER_CONV2D_WINOGRAD_INPUT_F32,
                                                        .pieces = pieces,
                                                        .piece_count = 2,
                                                        .push = &push,
                                                        .push_size = sizeof push,
                                                        .items = push.total,
                                                        .vector = 4});
}

static br_status emit_products(br_emitter *emitter, const br_winograd_conv *conv, const winograd_piece *piece)
{
    int64_t in = br_shape_last(br_graph_shape(emitter->graph, conv->x));
    uint32_t size = emitter->caps->subgroup_size;
    /* Four columns a lane, as its stores want them. */
    br_gemm_tile tile = br_gemm_tile_choose(emitter->caps, (uint64_t)piece->tiles, 4 * size, 0);
    br_conv2d_winograd_push push = {
        .tiles_m = (uint32_t)over(piece->tiles, br_gemm_tile_m(tile)),
        .tiles_n = (uint32_t)over(piece->channels, br_gemm_tile_n(tile)),
        .m = (uint32_t)piece->tiles,
        .n = (uint32_t)piece->channels,
        .depth = (uint32_t)in,
    };
    push.total = ALL * push.tiles_m * push.tiles_n;
    br_op_dispatch dispatch = {
        .shader = br_gemm_unrolls(emitter->caps) ? BR_SHADER_CONV2D_WINOGRAD_PRODUCTS_UNROLLED : BR_SHADER_CONV2D_WINOGRAD_PRODUCTS,
        .push_size = sizeof push,
        .operand_count = 3,
        .operands = {[BR_WINOGRAD_FROM] = scratch(emitter, conv, conv->slabs.v, ALL * piece->tiles * in, BR_VK_READ).operand,
                     [BR_WINOGRAD_TO] =
                         scratch(emitter, conv, conv->slabs.s, ALL * piece->tiles * piece->channels, BR_VK_WRITE).operand,
                     [BR_WINOGRAD_BIAS] = scratch(emitter, conv, 0, ALL * piece->channels * in, BR_VK_READ).operand},
        /* Those of the sum that the algorithm avoids, so that rates and totals compare with those of other devices. */
        .flops = (uint64_t)(piece->lines * br_graph_shape(emitter->graph, conv->y).dim[2] * piece->channels * 2 * 9 * in),
    };
    memcpy(dispatch.push, &push, sizeof push);
    br_gemm_specialize(&dispatch, tile, BR_GEMM_VEC_LOAD, (br_gemm_epilogue){0});
    br_emit_fold(emitter, push.total, dispatch.groups);
    return br_emit_dispatch(emitter, &dispatch);
}

static br_status emit_output(br_emitter *emitter, const br_winograd_conv *conv, const winograd_piece *piece)
{
    br_shape y = br_graph_shape(emitter->graph, conv->y);
    int64_t line = y.dim[2] * y.dim[3];
    uint64_t first = (uint64_t)((piece->picture * y.dim[1] + piece->line) * line), count = (uint64_t)(piece->lines * line);
    br_slice pieces[] = {
        [BR_WINOGRAD_FROM] = scratch(emitter, conv, conv->slabs.s, ALL * piece->tiles * piece->channels, BR_VK_READ),
        [BR_WINOGRAD_TO] = br_slice_make(emitter, conv->y, first, count, BR_VK_WRITE),
        [BR_WINOGRAD_BIAS] = {.operand = br_gemm_unused(emitter, conv->x)},
        [BR_WINOGRAD_RESIDUAL] = {.operand = br_gemm_unused(emitter, conv->x)},
    };
    if (conv->bias != BR_NONE)
        pieces[BR_WINOGRAD_BIAS] =
            br_slice_make(emitter, conv->bias, (uint64_t)(piece->picture * conv->bias_stride + conv->bias_column + piece->channel),
                          (uint64_t)piece->channels, BR_VK_READ);
    if (conv->residual != BR_NONE)
        pieces[BR_WINOGRAD_RESIDUAL] = br_slice_make(emitter, conv->residual, first, count, BR_VK_READ);
    br_conv2d_winograd_push push = {
        .total = (uint32_t)(piece->tiles * piece->channels / 4),
        .m = (uint32_t)piece->tiles,
        .n = (uint32_t)piece->channels,
        .line_tiles = (uint32_t)(piece->tiles / over(piece->lines, TILE)),
        .y0 = (uint32_t)piece->line,
        .out_height = (uint32_t)y.dim[1],
        .out_width = (uint32_t)y.dim[2],
        .y_stride = (uint32_t)y.dim[3],
        .to_first = pieces[BR_WINOGRAD_TO].skip + (uint32_t)piece->channel,
        .bias_first = pieces[BR_WINOGRAD_BIAS].skip,
        .residual_first = pieces[BR_WINOGRAD_RESIDUAL].skip + (uint32_t)piece->channel,
    };
    uint64_t outputs = (uint64_t)(piece->lines * y.dim[2] * piece->channels);
    return br_elementwise_emit(
        emitter, &(br_elementwise_params){.shader = is_half(emitter, conv->y) ? BR_SHADER_CONV2D_WINOGRAD_OUTPUT_F16
                                                                              : BR_SHADER_CONV2D_WINOGRAD_OUTPUT_F32,
                                          .pieces = pieces,
                                          .piece_count = 4,
                                          .push = &push,
                                          .push_size = sizeof push,
                                          .items = push.total,
                                          .vector = 4,
                                          .spec_count = 3,
                                          .spec = {(uint32_t)conv->activation, conv->bias != BR_NONE, conv->residual != BR_NONE},
                                          .flops = outputs * ((conv->bias != BR_NONE) + (conv->residual != BR_NONE))});
}

br_status br_winograd_emit(br_emitter *emitter, const br_winograd_conv *conv)
{
    br_shape y = br_graph_shape(emitter->graph, conv->y);
    const br_winograd_slabs *slabs = &conv->slabs;
    bool once = slabs->channels == y.dim[3], transformed = false;
    for (int64_t picture = 0; picture < y.dim[0]; picture++)
        for (int64_t line = 0; line < y.dim[1]; line += slabs->lines * TILE) {
            winograd_piece piece = {.picture = picture, .line = line, .lines = smaller(slabs->lines * TILE, y.dim[1] - line)};
            piece.tiles = over(piece.lines, TILE) * over(y.dim[2], TILE);
            BR_TRY(emit_input(emitter, conv, &piece));
            for (; piece.channel < y.dim[3]; piece.channel += piece.channels) {
                piece.channels = smaller(slabs->channels, y.dim[3] - piece.channel);
                if (!once || !transformed)
                    BR_TRY(emit_weights(emitter, conv, &piece));
                transformed = true;
                BR_TRY(emit_products(emitter, conv, &piece));
                BR_TRY(emit_output(emitter, conv, &piece));
            }
        }
    return NULL;
}
