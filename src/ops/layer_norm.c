#include "ops/layer_norm.h"

#include "ops/elementwise.h"
#include "ops/norm.h"

/* Vectors of a row that one invocation aims to hold: enough work to hide latency, few registers. */
#define VECTORS_WANTED 4
/* Vectors it keeps in registers at the most: 32 floats. */
#define REGISTERS_MAX 8

typedef struct br_layer_norm_attrs {
    float eps;
} br_layer_norm_attrs;

br_value br_op_layer_norm(br_graph *graph, const char *name, const br_layer_norm_params *params)
{
    if (params->x == BR_NONE || params->gamma == BR_NONE || params->beta == BR_NONE ||
        !br_elementwise_check(graph, name, "x", params->x))
        return BR_NONE;
    br_shape shape = br_graph_shape(graph, params->x);
    if (!br_elementwise_check_vector(graph, name, "gamma", params->gamma, br_shape_last(shape)) ||
        !br_elementwise_check_vector(graph, name, "beta", params->beta, br_shape_last(shape)))
        return BR_NONE;
    br_layer_norm_attrs attrs = {params->eps};
    return br_graph_node(graph, &(br_node_params){.op = BR_OP_layer_norm,
                                                  .name = name,
                                                  .input_count = 3,
                                                  .inputs = {params->x, params->gamma, params->beta},
                                                  .attrs = &attrs,
                                                  .attrs_size = sizeof attrs,
                                                  .in_place = 0,
                                                  .output_count = 1,
                                                  .outputs = {{br_graph_dtype(graph, params->x), shape, BR_NONE}}});
}

bool br_layer_norm_is_of(const br_graph *graph, int index, br_value x, float *out_eps)
{
    const br_node *node = &graph->nodes[index];
    if (index >= graph->node_count || node->op != BR_OP_layer_norm || node->inputs[BR_LAYER_NORM_INPUT_X] != x)
        return false;
    *out_eps = ((const br_layer_norm_attrs *)node->attrs)->eps;
    return true;
}

static br_status emit_rows(br_emitter *emitter, const br_node *node, const br_slices *slices, uint64_t width)
{
    const br_layer_norm_attrs *attrs = node->attrs;
    br_slice pieces[] = {
        [BR_LAYER_NORM_X] = slices->piece[0],
        [BR_LAYER_NORM_GAMMA] = {br_emit_whole(emitter, node->inputs[BR_LAYER_NORM_INPUT_GAMMA], BR_VK_READ), 0},
        [BR_LAYER_NORM_BETA] = {br_emit_whole(emitter, node->inputs[BR_LAYER_NORM_INPUT_BETA], BR_VK_READ), 0},
        [BR_LAYER_NORM_Y] = slices->piece[1],
    };
    uint32_t vector = br_elementwise_vector(pieces, 4, width), vectors = (uint32_t)width / vector;
    uint32_t size = br_elementwise_reduction_size(emitter), lanes = 1;
    bool cpu = emitter->caps->type == VK_PHYSICAL_DEVICE_TYPE_CPU;
    while (!cpu && lanes < size && lanes * VECTORS_WANTED < vectors)
        lanes *= 2;
    uint32_t registers = cpu ? 1 : (vectors + lanes - 1) / lanes;
    uint64_t groups = (slices->count + size / lanes - 1) / (size / lanes);
    br_layer_norm_push push = {.total = (uint32_t)groups,
                               .rows = (uint32_t)slices->count,
                               .width = (uint32_t)width,
                               .x_skip = pieces[BR_LAYER_NORM_X].skip,
                               .y_skip = pieces[BR_LAYER_NORM_Y].skip,
                               .eps = attrs->eps};
    bool f16 = br_graph_dtype(emitter->graph, node->outputs[0]) == BR_F16;
    return br_elementwise_emit(emitter,
                               &(br_elementwise_params){.shader = !f16  ? BR_SHADER_LAYER_NORM_F32
                                                                  : cpu ? BR_SHADER_LAYER_NORM_LANES_F16
                                                                        : BR_SHADER_LAYER_NORM_F16,
                                                        .pieces = pieces,
                                                        .piece_count = 4,
                                                        .push = &push,
                                                        .push_size = sizeof push,
                                                        .items = groups * size,
                                                        .group_size = size,
                                                        .vector = vector,
                                                        .spec_count = 2,
                                                        .spec = {lanes, registers < REGISTERS_MAX ? registers : REGISTERS_MAX},
                                                        .flops = BR_LAYER_NORM_FLOPS * slices->count * width});
}

br_status br_emit_layer_norm(br_emitter *emitter, const br_node *node)
{
    if (br_linear_takes_norm(emitter))
        return br_emit_linear_of_norm(emitter, ((const br_layer_norm_attrs *)node->attrs)->eps);
    br_shape shape = br_graph_shape(emitter->graph, node->outputs[0]);
    uint64_t width = (uint64_t)br_shape_last(shape);
    br_slices slices;
    br_slices_begin(&slices, emitter, (uint64_t)br_shape_rows(shape),
                    (br_slices_operand[]){{node->inputs[0], width, BR_VK_READ}, {node->outputs[0], width, BR_VK_WRITE}}, 2);
    while (br_slices_next(&slices))
        BR_TRY(emit_rows(emitter, node, &slices, width));
    return NULL;
}
