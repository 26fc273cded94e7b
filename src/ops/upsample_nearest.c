#include "ops/upsample_nearest.h"

#include <inttypes.h>

#include "ops/elementwise.h"

/* The products of indices in the shader stay below 2^32. */
#define SIDE_MAX 65535

br_value br_op_upsample_nearest(br_graph *graph, const char *name, br_value x, int64_t height, int64_t width)
{
    if (x == BR_NONE || !br_elementwise_check(graph, name, "x", x))
        return BR_NONE;
    br_shape shape = br_graph_shape(graph, x);
    if (shape.rank != 4)
        return br_graph_fail(graph, BR_ERROR_ARGUMENT, "%s: x is %s, expected [B, H, W, C]", name, br_shape_format(shape).text);
    if (height < 1 || width < 1 || height > SIDE_MAX || width > SIDE_MAX || shape.dim[1] > SIDE_MAX || shape.dim[2] > SIDE_MAX)
        return br_graph_fail(graph, BR_ERROR_ARGUMENT, "%s: cannot resize %s to %" PRId64 " x %" PRId64 ", sides are 1 to %d", name,
                             br_shape_format(shape).text, height, width, SIDE_MAX);
    return br_graph_node(graph, &(br_node_params){.op = BR_OP_upsample_nearest,
                                                  .name = name,
                                                  .input_count = 1,
                                                  .inputs = {x},
                                                  .in_place = -1,
                                                  .output_count = 1,
                                                  .outputs = {{br_graph_dtype(graph, x),
                                                               br_shape_of(shape.dim[0], height, width, shape.dim[3]), BR_NONE}}});
}

/* The line of x that line `line` of y shows; lines are counted over all pictures. */
static uint64_t source_line(br_shape x, br_shape y, uint64_t line)
{
    uint64_t x_height = (uint64_t)x.dim[1], y_height = (uint64_t)y.dim[1];
    return line / y_height * x_height + line % y_height * x_height / y_height;
}

static br_status emit_lines(br_emitter *emitter, const br_node *node, uint64_t first, uint64_t count)
{
    br_shape x = br_graph_shape(emitter->graph, node->inputs[0]), y = br_graph_shape(emitter->graph, node->outputs[0]);
    uint64_t channels = (uint64_t)x.dim[3], x_line = (uint64_t)x.dim[2] * channels, y_line = (uint64_t)y.dim[2] * channels;
    uint64_t x_first = source_line(x, y, first), x_count = source_line(x, y, first + count - 1) + 1 - x_first;
    bool f16 = br_graph_dtype(emitter->graph, node->outputs[0]) == BR_F16;
    br_slice pieces[] = {
        [BR_UPSAMPLE_NEAREST_X] = br_slice_make(emitter, node->inputs[0], x_first * x_line, x_count * x_line, BR_VK_READ),
        [BR_UPSAMPLE_NEAREST_Y] = br_slice_make(emitter, node->outputs[0], first * y_line, count * y_line, BR_VK_WRITE),
    };
    uint32_t vector = br_elementwise_vector(pieces, 2, channels);
    br_upsample_nearest_push push = {
        .total = (uint32_t)(count * y_line / vector),
        .channels = (uint32_t)channels / vector,
        .x_height = (uint32_t)x.dim[1],
        .x_width = (uint32_t)x.dim[2],
        .y_height = (uint32_t)y.dim[1],
        .y_width = (uint32_t)y.dim[2],
        .x_line = (uint32_t)x_first,
        .y_line = (uint32_t)first,
        .x_skip = pieces[BR_UPSAMPLE_NEAREST_X].skip,
        .y_skip = pieces[BR_UPSAMPLE_NEAREST_Y].skip,
    };
    return br_elementwise_emit(
        emitter, &(br_elementwise_params){.shader = f16 ? BR_SHADER_UPSAMPLE_NEAREST_F16 : BR_SHADER_UPSAMPLE_NEAREST_F32,
                                          .pieces = pieces,
                                          .piece_count = 2,
                                          .push = &push,
                                          .push_size = sizeof push,
                                          .items = push.total,
                                          .vector = vector});
}

br_status br_emit_upsample_nearest(br_emitter *emitter, const br_node *node)
{
    br_shape x = br_graph_shape(emitter->graph, node->inputs[0]), y = br_graph_shape(emitter->graph, node->outputs[0]);
    uint64_t lines = (uint64_t)(y.dim[0] * y.dim[1]);
    uint64_t x_fit = br_slice_rows(emitter, node->inputs[0], (uint64_t)(x.dim[2] * x.dim[3]));
    uint64_t y_fit = br_slice_rows(emitter, node->outputs[0], (uint64_t)(y.dim[2] * y.dim[3]));
    for (uint64_t first = 0, count; first < lines; first += count) {
        count = lines - first < y_fit ? lines - first : y_fit;
        /* Where y is smaller than x, few lines of y may need many of x. */
        while (count > 1 && source_line(x, y, first + count - 1) + 1 - source_line(x, y, first) > x_fit)
            count /= 2;
        if (count == 0) /* br_emit_dispatch refuses it */
            count = 1;
        BR_TRY(emit_lines(emitter, node, first, count));
    }
    return NULL;
}
