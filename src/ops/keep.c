#include "ops/keep.h"

#include "ops/elementwise.h"
#include "ops/step.h"

/* The known picture's noise: two products, a sum; the blend: two products, a difference, a sum. */
#define FLOPS_AN_ELEMENT 7

void br_op_keep(br_graph *graph, const char *name, const br_keep_params *params)
{
    if (params->step == BR_NONE || params->x == BR_NONE || params->mask == BR_NONE || params->known == BR_NONE ||
        params->noise == BR_NONE || !br_step_check(graph, name, params->step))
        return;
    br_shape x = br_graph_shape(graph, params->x), mask = x;
    if (br_graph_value(graph, params->x)->kind != BR_VALUE_STATE || x.rank != 4) {
        br_graph_fail(graph, BR_ERROR_ARGUMENT, "%s: x is %s, expected a state [B, H, W, C]: it is updated in place", name,
                      br_shape_format(x).text);
        return;
    }
    mask.dim[3] = 1;
    if (!br_step_check_f32(graph, name, "x", params->x, x) || !br_step_check_f32(graph, name, "mask", params->mask, mask) ||
        !br_step_check_f32(graph, name, "known", params->known, x) || !br_step_check_f32(graph, name, "noise", params->noise, x))
        return;
    br_graph_node(graph, &(br_node_params){.op = BR_OP_keep,
                                           .name = name,
                                           .input_count = 5,
                                           .inputs = {params->step, params->x, params->mask, params->known, params->noise},
                                           .in_place = -1,
                                           .output_count = 1,
                                           .outputs = {{.state = params->x}}});
}

/* One dispatch, as the sampler's step, which binds more. */
br_status br_emit_keep(br_emitter *emitter, const br_node *node)
{
    br_shape x = br_graph_shape(emitter->graph, node->inputs[1]);
    br_slice pieces[] = {
        [BR_KEEP_STEP] = {br_emit_whole(emitter, node->inputs[0], BR_VK_READ), 0},
        [BR_KEEP_X] = {br_emit_whole(emitter, node->inputs[1], BR_VK_READ_WRITE), 0},
        [BR_KEEP_MASK] = {br_emit_whole(emitter, node->inputs[2], BR_VK_READ), 0},
        [BR_KEEP_KNOWN] = {br_emit_whole(emitter, node->inputs[3], BR_VK_READ), 0},
        [BR_KEEP_NOISE] = {br_emit_whole(emitter, node->inputs[4], BR_VK_READ), 0},
    };
    br_keep_push push = {.total = (uint32_t)br_shape_count(x), .channels = (uint32_t)x.dim[3]};
    return br_elementwise_emit(emitter, &(br_elementwise_params){.shader = BR_SHADER_KEEP,
                                                                 .pieces = pieces,
                                                                 .piece_count = 5,
                                                                 .push = &push,
                                                                 .push_size = sizeof push,
                                                                 .items = push.total,
                                                                 .vector = 1,
                                                                 .flops = (uint64_t)push.total * FLOPS_AN_ELEMENT});
}
