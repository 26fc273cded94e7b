#include "ops/geglu.h"

#include "ops/elementwise.h"

/* gelu's exp, sum and two products, and the product with the value. */
#define FLOPS_AN_ELEMENT 5

br_value br_op_geglu(br_graph *graph, const char *name, br_value x)
{
    if (x == BR_NONE || !br_elementwise_check(graph, name, "x", x))
        return BR_NONE;
    br_shape shape = br_graph_shape(graph, x);
    if (br_shape_last(shape) % 2 != 0)
        return br_graph_fail(graph, BR_ERROR_ARGUMENT, "%s: x is %s, expected an even last dimension (value and gate)", name,
                             br_shape_format(shape).text);
    shape.dim[shape.rank - 1] /= 2;
    return br_graph_node(graph, &(br_node_params){.op = BR_OP_geglu,
                                                  .name = name,
                                                  .input_count = 1,
                                                  .inputs = {x},
                                                  .in_place = -1,
                                                  .output_count = 1,
                                                  .outputs = {{br_graph_dtype(graph, x), shape, BR_NONE}}});
}

br_status br_emit_geglu(br_emitter *emitter, const br_node *node)
{
    br_shape shape = br_graph_shape(emitter->graph, node->outputs[0]);
    uint64_t width = (uint64_t)br_shape_last(shape);
    bool f16 = br_graph_dtype(emitter->graph, node->outputs[0]) == BR_F16;
    br_slices slices;
    br_slices_begin(
        &slices, emitter, (uint64_t)br_shape_rows(shape),
        (br_slices_operand[]){
            [BR_GEGLU_X] = {node->inputs[0], 2 * width, BR_VK_READ}, [BR_GEGLU_Y] = {node->outputs[0], width, BR_VK_WRITE}},
        2);
    while (br_slices_next(&slices)) {
        uint32_t vector = br_elementwise_vector(slices.piece, 2, width);
        br_geglu_push push = {.total = (uint32_t)(slices.count * width / vector),
                              .width = (uint32_t)width / vector,
                              .x_skip = slices.piece[BR_GEGLU_X].skip,
                              .y_skip = slices.piece[BR_GEGLU_Y].skip};
        BR_TRY(br_elementwise_emit(emitter, &(br_elementwise_params){.shader = f16 ? BR_SHADER_GEGLU_F16 : BR_SHADER_GEGLU_F32,
                                                                     .pieces = slices.piece,
                                                                     .piece_count = 2,
                                                                     .push = &push,
                                                                     .push_size = sizeof push,
                                                                     .items = push.total,
                                                                     .vector = vector,
                                                                     .flops = FLOPS_AN_ELEMENT * slices.count * width}));
    }
    return NULL;
}
