#include "ops/activation.h"

#include "ops/elementwise.h"

typedef struct br_activation_attrs {
    br_activation activation;
} br_activation_attrs;

/* exp, division and what surrounds them; the erf of GELU is two polynomials and an exp. */
#define FLOPS_AN_ELEMENT 4

br_value br_op_activation(br_graph *graph, const char *name, br_value x, br_activation activation)
{
    if (x == BR_NONE || !br_elementwise_check(graph, name, "x", x))
        return BR_NONE;
    if (activation < BR_ACTIVATION_NONE || activation > BR_ACTIVATION_TANH)
        return br_graph_fail(graph, BR_ERROR_ARGUMENT, "%s: %d is not an activation", name, (int)activation);
    br_activation_attrs attrs = {activation};
    return br_graph_node(graph, &(br_node_params){.op = BR_OP_activation,
                                                  .name = name,
                                                  .input_count = 1,
                                                  .inputs = {x},
                                                  .attrs = &attrs,
                                                  .attrs_size = sizeof attrs,
                                                  .in_place = 0,
                                                  .output_count = 1,
                                                  .outputs = {{br_graph_dtype(graph, x), br_graph_shape(graph, x), BR_NONE}}});
}

br_status br_emit_activation(br_emitter *emitter, const br_node *node)
{
    const br_activation_attrs *attrs = node->attrs;
    bool f16 = br_graph_dtype(emitter->graph, node->outputs[0]) == BR_F16;
    br_slices slices;
    br_slices_begin(
        &slices, emitter, (uint64_t)br_shape_count(br_graph_shape(emitter->graph, node->outputs[0])),
        (br_slices_operand[]){
            [BR_ACTIVATION_X] = {node->inputs[0], 1, BR_VK_READ}, [BR_ACTIVATION_Y] = {node->outputs[0], 1, BR_VK_WRITE}},
        2);
    while (br_slices_next(&slices)) {
        uint32_t vector = br_elementwise_vector(slices.piece, 2, slices.count);
        br_activation_push push = {.total = (uint32_t)(slices.count / vector),
                                   .x_skip = slices.piece[BR_ACTIVATION_X].skip,
                                   .y_skip = slices.piece[BR_ACTIVATION_Y].skip};
        BR_TRY(br_elementwise_emit(emitter,
                                   &(br_elementwise_params){.shader = f16 ? BR_SHADER_ACTIVATION_F16 : BR_SHADER_ACTIVATION_F32,
                                                            .pieces = slices.piece,
                                                            .piece_count = 2,
                                                            .push = &push,
                                                            .push_size = sizeof push,
                                                            .items = push.total,
                                                            .vector = vector,
                                                            .spec_count = 1,
                                                            .spec = {(uint32_t)attrs->activation},
                                                            .flops = FLOPS_AN_ELEMENT * slices.count}));
    }
    return NULL;
}
