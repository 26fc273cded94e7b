#include "ops/model_input.h"

#include "ops/elementwise.h"
#include "ops/step.h"

br_value br_op_model_input(br_graph *graph, const char *name, br_value step, br_value x, int copies, br_dtype dtype)
{
    if (step == BR_NONE || x == BR_NONE || !br_step_check(graph, name, step))
        return BR_NONE;
    br_shape shape = br_graph_shape(graph, x);
    if (br_graph_dtype(graph, x) != BR_F32 || shape.rank != 4)
        return br_graph_fail(graph, BR_ERROR_ARGUMENT, "%s: x is %s %s, expected f32 [B, H, W, C]", name,
                             br_dtype_name(br_graph_dtype(graph, x)), br_shape_format(shape).text);
    if (copies < 1 || (dtype != BR_F32 && dtype != BR_F16))
        return br_graph_fail(graph, BR_ERROR_ARGUMENT, "%s: %d copies of %s, expected at least one of f32 or f16", name, copies,
                             br_dtype_name(dtype));
    shape.dim[0] *= copies;
    return br_graph_node(graph, &(br_node_params){.op = BR_OP_model_input,
                                                  .name = name,
                                                  .input_count = 2,
                                                  .inputs = {step, x},
                                                  .in_place = -1,
                                                  .output_count = 1,
                                                  .outputs = {{dtype, shape, BR_NONE}}});
}

br_status br_emit_model_input(br_emitter *emitter, const br_node *node)
{
    uint64_t count = (uint64_t)br_shape_count(br_graph_shape(emitter->graph, node->inputs[1]));
    bool f16 = br_graph_dtype(emitter->graph, node->outputs[0]) == BR_F16;
    br_slices slices;
    br_slices_begin(&slices, emitter, (uint64_t)br_shape_count(br_graph_shape(emitter->graph, node->outputs[0])),
                    (br_slices_operand[]){{node->outputs[0], 1, BR_VK_WRITE}}, 1);
    while (br_slices_next(&slices)) {
        br_slice pieces[] = {
            [BR_MODEL_INPUT_STEP] = {br_emit_whole(emitter, node->inputs[0], BR_VK_READ), 0},
            [BR_MODEL_INPUT_X] = {br_emit_whole(emitter, node->inputs[1], BR_VK_READ), 0},
            [BR_MODEL_INPUT_Y] = slices.piece[0],
        };
        uint32_t vector = br_elementwise_vector(pieces, 3, slices.first | slices.count | count);
        br_model_input_push push = {.total = (uint32_t)(slices.count / vector),
                                    .count = (uint32_t)(count / vector),
                                    .y_item = (uint32_t)(slices.first / vector),
                                    .y_skip = pieces[BR_MODEL_INPUT_Y].skip};
        BR_TRY(br_elementwise_emit(emitter,
                                   &(br_elementwise_params){.shader = f16 ? BR_SHADER_MODEL_INPUT_F16 : BR_SHADER_MODEL_INPUT_F32,
                                                            .pieces = pieces,
                                                            .piece_count = 3,
                                                            .push = &push,
                                                            .push_size = sizeof push,
                                                            .items = push.total,
                                                            .vector = vector,
                                                            .flops = slices.count}));
    }
    return NULL;
}
