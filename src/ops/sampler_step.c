#include "ops/sampler_step.h"

#include "ops/elementwise.h"
#include "ops/step.h"

/* Guidance, x and out, four rows of history, noise, h: products and sums. */
#define FLOPS_AN_ELEMENT 19

static bool check_state(br_graph *graph, const char *name, const char *role, br_value value)
{
    if (br_graph_value(graph, value)->kind == BR_VALUE_STATE)
        return true;
    br_graph_fail(graph, BR_ERROR_ARGUMENT, "%s: %s is updated in place, so it has to be a state", name, role);
    return false;
}

void br_op_sampler_step(br_graph *graph, const char *name, const br_sampler_step_params *params)
{
    if (params->step == BR_NONE || params->out == BR_NONE || params->x == BR_NONE || params->history == BR_NONE ||
        params->noise == BR_NONE || !br_step_check(graph, name, params->step) ||
        !br_elementwise_check(graph, name, "the model's output", params->out))
        return;
    br_shape x = br_graph_shape(graph, params->x), out = br_graph_shape(graph, params->out), doubled = x;
    doubled.dim[0] *= 2;
    if (!br_shape_equal(out, x) && !br_shape_equal(out, doubled)) {
        br_graph_fail(graph, BR_ERROR_ARGUMENT, "%s: the model's output is %s, expected %s, or %s with guidance", name,
                      br_shape_format(out).text, br_shape_format(x).text, br_shape_format(doubled).text);
        return;
    }
    if (!br_step_check_f32(graph, name, "x", params->x, x) || !br_step_check_f32(graph, name, "noise", params->noise, x) ||
        !br_step_check_f32(graph, name, "history", params->history, br_shape_of(BR_HISTORY_MAX, br_shape_count(x))) ||
        !check_state(graph, name, "x", params->x) || !check_state(graph, name, "history", params->history))
        return;
    br_graph_node(graph, &(br_node_params){.op = BR_OP_sampler_step,
                                           .name = name,
                                           .input_count = 5,
                                           .inputs = {params->step, params->out, params->x, params->history, params->noise},
                                           .in_place = -1,
                                           .output_count = 2,
                                           .outputs = {{.state = params->x}, {.state = params->history}}});
}

/* One dispatch: the history is bound whole. In 128 MiB it holds 512 pictures of 512 x 512; br_emit_dispatch refuses more. */
br_status br_emit_sampler_step(br_emitter *emitter, const br_node *node)
{
    const br_graph *graph = emitter->graph;
    uint64_t count = (uint64_t)br_shape_count(br_graph_shape(graph, node->inputs[2]));
    bool guided = br_shape_count(br_graph_shape(graph, node->inputs[1])) != (int64_t)count;
    bool f16 = br_graph_dtype(graph, node->inputs[1]) == BR_F16;
    br_slice pieces[] = {
        [BR_SAMPLER_STEP_STEP] = {br_emit_whole(emitter, node->inputs[0], BR_VK_READ), 0},
        [BR_SAMPLER_STEP_OUT] = {br_emit_whole(emitter, node->inputs[1], BR_VK_READ), 0},
        [BR_SAMPLER_STEP_X] = {br_emit_whole(emitter, node->inputs[2], BR_VK_READ_WRITE), 0},
        [BR_SAMPLER_STEP_HISTORY] = {br_emit_whole(emitter, node->inputs[3], BR_VK_READ_WRITE), 0},
        [BR_SAMPLER_STEP_NOISE] = {br_emit_whole(emitter, node->inputs[4], BR_VK_READ), 0},
    };
    uint32_t vector = br_elementwise_vector(pieces, 5, count);
    br_sampler_step_push push = {.total = (uint32_t)(count / vector)};
    return br_elementwise_emit(emitter,
                               &(br_elementwise_params){.shader = f16 ? BR_SHADER_SAMPLER_STEP_F16 : BR_SHADER_SAMPLER_STEP_F32,
                                                        .pieces = pieces,
                                                        .piece_count = 5,
                                                        .push = &push,
                                                        .push_size = sizeof push,
                                                        .items = push.total,
                                                        .vector = vector,
                                                        .spec_count = 1,
                                                        .spec = {guided},
                                                        .flops = FLOPS_AN_ELEMENT * count});
}
