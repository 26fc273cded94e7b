#include "ops/concat.h"

#include "ops/elementwise.h"

br_value br_op_concat(br_graph *graph, const char *name, br_value a, br_value b)
{
    if (a == BR_NONE || b == BR_NONE || !br_elementwise_check(graph, name, "a", a))
        return BR_NONE;
    br_shape shape = br_graph_shape(graph, a), other = br_graph_shape(graph, b);
    br_dtype dtype = br_graph_dtype(graph, a), other_dtype = br_graph_dtype(graph, b);
    bool same = shape.rank == other.rank && shape.rank >= 1 && dtype == other_dtype;
    for (int i = 0; same && i + 1 < shape.rank; i++)
        same = shape.dim[i] == other.dim[i];
    if (!same)
        return br_graph_fail(graph, BR_ERROR_ARGUMENT, "%s: cannot concatenate %s %s and %s %s along the last dimension", name,
                             br_dtype_name(dtype), br_shape_format(shape).text, br_dtype_name(other_dtype),
                             br_shape_format(other).text);
    shape.dim[shape.rank - 1] += br_shape_last(other);
    return br_graph_node(graph, &(br_node_params){.op = BR_OP_concat,
                                                  .name = name,
                                                  .input_count = 2,
                                                  .inputs = {a, b},
                                                  .in_place = -1,
                                                  .output_count = 1,
                                                  .outputs = {{dtype, shape, BR_NONE}}});
}

br_status br_emit_concat(br_emitter *emitter, const br_node *node)
{
    const br_graph *graph = emitter->graph;
    uint64_t a_width = (uint64_t)br_shape_last(br_graph_shape(graph, node->inputs[0]));
    uint64_t b_width = (uint64_t)br_shape_last(br_graph_shape(graph, node->inputs[1]));
    bool f16 = br_graph_dtype(graph, node->outputs[0]) == BR_F16;
    br_slices slices;
    br_slices_begin(&slices, emitter, (uint64_t)br_shape_rows(br_graph_shape(graph, node->outputs[0])),
                    (br_slices_operand[]){[BR_CONCAT_A] = {node->inputs[0], a_width, BR_VK_READ},
                                          [BR_CONCAT_B] = {node->inputs[1], b_width, BR_VK_READ},
                                          [BR_CONCAT_Y] = {node->outputs[0], a_width + b_width, BR_VK_WRITE}},
                    3);
    while (br_slices_next(&slices)) {
        uint32_t vector = br_elementwise_vector(slices.piece, 3, a_width | b_width);
        br_concat_push push = {.total = (uint32_t)(slices.count * (a_width + b_width) / vector),
                               .a_width = (uint32_t)a_width / vector,
                               .b_width = (uint32_t)b_width / vector,
                               .a_skip = slices.piece[BR_CONCAT_A].skip,
                               .b_skip = slices.piece[BR_CONCAT_B].skip,
                               .y_skip = slices.piece[BR_CONCAT_Y].skip};
        BR_TRY(br_elementwise_emit(emitter, &(br_elementwise_params){.shader = f16 ? BR_SHADER_CONCAT_F16 : BR_SHADER_CONCAT_F32,
                                                                     .pieces = slices.piece,
                                                                     .piece_count = 3,
                                                                     .push = &push,
                                                                     .push_size = sizeof push,
                                                                     .items = push.total,
                                                                     .vector = vector}));
    }
    return NULL;
}
