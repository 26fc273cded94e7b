#include "ops/add.h"

#include "ops/elementwise.h"

br_value br_op_add(br_graph *graph, const char *name, br_value a, br_value b)
{
    if (a == BR_NONE || b == BR_NONE || !br_elementwise_check(graph, name, "a", a))
        return BR_NONE;
    br_shape shape = br_graph_shape(graph, a), other = br_graph_shape(graph, b);
    br_dtype dtype = br_graph_dtype(graph, a), other_dtype = br_graph_dtype(graph, b);
    if (!br_shape_equal(shape, other) || dtype != other_dtype)
        return br_graph_fail(graph, BR_ERROR_ARGUMENT, "%s: cannot add %s %s and %s %s", name, br_dtype_name(dtype),
                             br_shape_format(shape).text, br_dtype_name(other_dtype), br_shape_format(other).text);
    return br_graph_node(graph, &(br_node_params){.op = BR_OP_add,
                                                  .name = name,
                                                  .input_count = 2,
                                                  .inputs = {a, b},
                                                  .in_place = 0,
                                                  .output_count = 1,
                                                  .outputs = {{dtype, shape, BR_NONE}}});
}

br_status br_emit_add(br_emitter *emitter, const br_node *node)
{
    bool f16 = br_graph_dtype(emitter->graph, node->outputs[0]) == BR_F16;
    br_slices slices;
    br_slices_begin(&slices, emitter, (uint64_t)br_shape_count(br_graph_shape(emitter->graph, node->outputs[0])),
                    (br_slices_operand[]){[BR_ADD_A] = {node->inputs[0], 1, BR_VK_READ},
                                          [BR_ADD_B] = {node->inputs[1], 1, BR_VK_READ},
                                          [BR_ADD_Y] = {node->outputs[0], 1, BR_VK_WRITE}},
                    3);
    while (br_slices_next(&slices)) {
        uint32_t vector = br_elementwise_vector(slices.piece, 3, slices.count);
        br_add_push push = {.total = (uint32_t)(slices.count / vector),
                            .a_skip = slices.piece[BR_ADD_A].skip,
                            .b_skip = slices.piece[BR_ADD_B].skip,
                            .y_skip = slices.piece[BR_ADD_Y].skip};
        BR_TRY(br_elementwise_emit(emitter, &(br_elementwise_params){.shader = f16 ? BR_SHADER_ADD_F16 : BR_SHADER_ADD_F32,
                                                                     .pieces = slices.piece,
                                                                     .piece_count = 3,
                                                                     .push = &push,
                                                                     .push_size = sizeof push,
                                                                     .items = push.total,
                                                                     .vector = vector,
                                                                     .flops = slices.count}));
    }
    return NULL;
}
