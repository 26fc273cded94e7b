#include "ops/random.h"

#include <math.h>

#include "ops/elementwise.h"

typedef struct br_random_attrs {
    float scale;
    uint32_t seed;
} br_random_attrs;

void br_op_random(br_graph *graph, const char *name, const br_random_params *params)
{
    if (params->y == BR_NONE || !br_elementwise_check(graph, name, "y", params->y))
        return;
    if (!isfinite(params->scale)) {
        br_graph_fail(graph, BR_ERROR_ARGUMENT, "%s: the scale is %g", name, (double)params->scale);
        return;
    }
    br_random_attrs attrs = {params->scale, params->seed};
    br_graph_node(graph,
                  &(br_node_params){.op = BR_OP_random,
                                    .name = name,
                                    .attrs = &attrs,
                                    .attrs_size = sizeof attrs,
                                    .in_place = -1,
                                    .output_count = 1,
                                    .outputs = {{br_graph_dtype(graph, params->y), br_graph_shape(graph, params->y), params->y}}});
}

br_status br_emit_random(br_emitter *emitter, const br_node *node)
{
    const br_random_attrs *attrs = node->attrs;
    bool f16 = br_graph_dtype(emitter->graph, node->outputs[0]) == BR_F16;
    br_slices slices;
    br_slices_begin(&slices, emitter, (uint64_t)br_shape_count(br_graph_shape(emitter->graph, node->outputs[0])),
                    (br_slices_operand[]){[BR_RANDOM_Y] = {node->outputs[0], 1, BR_VK_WRITE}}, 1);
    while (br_slices_next(&slices)) {
        uint32_t vector = br_elementwise_vector(slices.piece, 1, slices.count);
        br_random_push push = {.total = (uint32_t)(slices.count / vector),
                               .y_skip = slices.piece[BR_RANDOM_Y].skip,
                               .first = (uint32_t)slices.first,
                               .seed = attrs->seed,
                               .scale = attrs->scale};
        BR_TRY(br_elementwise_emit(emitter, &(br_elementwise_params){.shader = f16 ? BR_SHADER_RANDOM_F16 : BR_SHADER_RANDOM_F32,
                                                                     .pieces = slices.piece,
                                                                     .piece_count = 1,
                                                                     .push = &push,
                                                                     .push_size = sizeof push,
                                                                     .items = push.total,
                                                                     .vector = vector,
                                                                     .flops = 2 * slices.count}));
    }
    return NULL;
}
