#include "ops/convert.h"

#include <math.h>

#include "ops/elementwise.h"

typedef struct br_convert_attrs {
    br_layout_change layout;
    float scale, shift;
} br_convert_attrs;

/* a product and a sum */
#define FLOPS_AN_ELEMENT 2

br_value br_op_convert(br_graph *graph, const char *name, const br_convert_params *params)
{
    if (params->x == BR_NONE || !br_elementwise_check(graph, name, "x", params->x))
        return BR_NONE;
    br_shape x = br_graph_shape(graph, params->x), y = x;
    br_dtype dtype = br_graph_dtype(graph, params->x);
    if (params->dtype != BR_F32 && params->dtype != BR_F16)
        return br_graph_fail(graph, BR_ERROR_ARGUMENT, "%s: conversion to %s, expected f32 or f16", name,
                             br_dtype_name(params->dtype));
    if (params->layout != BR_LAYOUT_KEEP && x.rank != 4)
        return br_graph_fail(graph, BR_ERROR_ARGUMENT, "%s: x is %s, expected 4 dimensions to change the layout", name,
                             br_shape_format(x).text);
    if (params->layout == BR_LAYOUT_NCHW_TO_NHWC)
        y = br_shape_of(x.dim[0], x.dim[2], x.dim[3], x.dim[1]);
    else if (params->layout == BR_LAYOUT_NHWC_TO_NCHW)
        y = br_shape_of(x.dim[0], x.dim[3], x.dim[1], x.dim[2]);
    if (!isfinite(params->scale) || !isfinite(params->shift))
        return br_graph_fail(graph, BR_ERROR_ARGUMENT, "%s: scale %g and shift %g, expected finite numbers", name,
                             (double)params->scale, (double)params->shift);
    br_convert_attrs attrs = {params->layout, params->scale, params->shift};
    return br_graph_node(graph, &(br_node_params){.op = BR_OP_convert,
                                                  .name = name,
                                                  .input_count = 1,
                                                  .inputs = {params->x},
                                                  .attrs = &attrs,
                                                  .attrs_size = sizeof attrs,
                                                  .in_place = params->layout == BR_LAYOUT_KEEP && params->dtype == dtype ? 0 : -1,
                                                  .output_count = 1,
                                                  .outputs = {{params->dtype, y, BR_NONE}}});
}

static br_status emit(br_emitter *emitter, const br_node *node, const br_slice *pieces, uint32_t vector, uint64_t count,
                      br_convert_push *push)
{
    const br_convert_attrs *attrs = node->attrs;
    bool x_f16 = br_graph_dtype(emitter->graph, node->inputs[0]) == BR_F16;
    bool y_f16 = br_graph_dtype(emitter->graph, node->outputs[0]) == BR_F16;
    push->total = (uint32_t)(count / vector);
    push->x_skip = pieces[BR_CONVERT_X].skip;
    push->y_skip = pieces[BR_CONVERT_Y].skip;
    push->scale = attrs->scale;
    push->shift = attrs->shift;
    br_shader_id shader = x_f16 ? (y_f16 ? BR_SHADER_CONVERT_F16_F16 : BR_SHADER_CONVERT_F16_F32)
                                : (y_f16 ? BR_SHADER_CONVERT_F32_F16 : BR_SHADER_CONVERT_F32_F32);
    return br_elementwise_emit(emitter, &(br_elementwise_params){.shader = shader,
                                                                 .pieces = pieces,
                                                                 .piece_count = 2,
                                                                 .push = push,
                                                                 .push_size = sizeof *push,
                                                                 .items = push->total,
                                                                 .vector = vector,
                                                                 .spec_count = 1,
                                                                 .spec = {attrs->layout != BR_LAYOUT_KEEP},
                                                                 .flops = FLOPS_AN_ELEMENT * count});
}

static br_status emit_flat(br_emitter *emitter, const br_node *node)
{
    br_slices slices;
    br_slices_begin(&slices, emitter, (uint64_t)br_shape_count(br_graph_shape(emitter->graph, node->outputs[0])),
                    (br_slices_operand[]){
                        [BR_CONVERT_X] = {node->inputs[0], 1, BR_VK_READ}, [BR_CONVERT_Y] = {node->outputs[0], 1, BR_VK_WRITE}},
                    2);
    while (br_slices_next(&slices)) {
        br_convert_push push = {0};
        BR_TRY(emit(emitter, node, slices.piece, br_elementwise_vector(slices.piece, 2, slices.count), slices.count, &push));
    }
    return NULL;
}

/* Pixels [row, row + rows) of channels [channel, channel + channels) of one picture. */
typedef struct br_convert_block {
    uint64_t picture, row, rows, channel, channels;
} br_convert_block;

static br_status emit_block(br_emitter *emitter, const br_node *node, br_convert_block block)
{
    const br_convert_attrs *attrs = node->attrs;
    bool to_nhwc = attrs->layout == BR_LAYOUT_NCHW_TO_NHWC;
    br_shape nhwc = br_graph_shape(emitter->graph, to_nhwc ? node->outputs[0] : node->inputs[0]);
    uint64_t channels = (uint64_t)nhwc.dim[3], pixels = (uint64_t)(nhwc.dim[1] * nhwc.dim[2]);
    uint64_t packed = (block.picture * pixels + block.row) * channels + block.channel;
    uint64_t packed_count = (block.rows - 1) * channels + block.channels;
    uint64_t planar = (block.picture * channels + block.channel) * pixels + block.row;
    uint64_t planar_count = (block.channels - 1) * pixels + block.rows;
    br_slice pieces[] = {
        [BR_CONVERT_X] =
            br_slice_make(emitter, node->inputs[0], to_nhwc ? planar : packed, to_nhwc ? planar_count : packed_count, BR_VK_READ),
        [BR_CONVERT_Y] =
            br_slice_make(emitter, node->outputs[0], to_nhwc ? packed : planar, to_nhwc ? packed_count : planar_count, BR_VK_WRITE),
    };
    br_convert_push push = {
        .channels = (uint32_t)block.channels,
        .x_row = to_nhwc ? 1 : (uint32_t)channels,
        .x_channel = to_nhwc ? (uint32_t)pixels : 1,
        .y_row = to_nhwc ? (uint32_t)channels : 1,
        .y_channel = to_nhwc ? 1 : (uint32_t)pixels,
    };
    return emit(emitter, node, pieces, 1, block.rows * block.channels, &push);
}

/* A picture at a time. One that does not fit a binding goes channel by channel, because its planes lie far apart in NCHW. */
static br_status emit_layout(br_emitter *emitter, const br_node *node)
{
    br_shape x = br_graph_shape(emitter->graph, node->inputs[0]);
    uint64_t count = (uint64_t)(x.dim[1] * x.dim[2] * x.dim[3]);
    const br_convert_attrs *attrs = node->attrs;
    uint64_t channels = (uint64_t)x.dim[attrs->layout == BR_LAYOUT_NCHW_TO_NHWC ? 1 : 3], pixels = count / channels;
    uint64_t channel_step = channels, row_step = pixels;
    if (br_slice_rows(emitter, node->inputs[0], count) == 0 || br_slice_rows(emitter, node->outputs[0], count) == 0) {
        uint64_t x_fit = br_slice_rows(emitter, node->inputs[0], channels),
                 y_fit = br_slice_rows(emitter, node->outputs[0], channels);
        channel_step = 1;
        row_step = x_fit < y_fit ? x_fit : y_fit;
        if (row_step == 0)
            row_step = 1;
    }
    for (br_convert_block block = {0}; block.picture < (uint64_t)x.dim[0]; block.picture++)
        for (block.channel = 0; block.channel < channels; block.channel += channel_step)
            for (block.row = 0; block.row < pixels; block.row += row_step) {
                block.channels = channel_step;
                block.rows = pixels - block.row < row_step ? pixels - block.row : row_step;
                BR_TRY(emit_block(emitter, node, block));
            }
    return NULL;
}

br_status br_emit_convert(br_emitter *emitter, const br_node *node)
{
    const br_convert_attrs *attrs = node->attrs;
    return attrs->layout == BR_LAYOUT_KEEP ? emit_flat(emitter, node) : emit_layout(emitter, node);
}
