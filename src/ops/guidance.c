#include "ops/guidance.h"

#include <string.h>

#include "ops/elementwise.h"
#include "ops/step.h"

/* Elements that a workgroup takes: 16 for each of 256 invocations. */
#define CHUNK_ELEMENTS 4096
/* Every invocation of the second stage merges all chunks of its picture. */
#define CHUNKS_MAX 64
/* Guidance by words and picture: four sums, two products; both means and squared distances: four operations each; the scale. */
#define GUIDE_FLOPS 6
#define STATS_FLOPS 8
#define APPLY_FLOPS 1

typedef struct br_guidance_attrs {
    int copies;
    bool rescale;
    uint32_t count, chunk, chunks; /* elements of a picture and of a chunk; chunks of a picture */
} br_guidance_attrs;

br_value br_op_guidance(br_graph *graph, const char *name, const br_guidance_params *params)
{
    if (params->step == BR_NONE || params->out == BR_NONE || !br_step_check(graph, name, params->step) ||
        !br_elementwise_check(graph, name, "the model's output", params->out))
        return BR_NONE;
    br_shape shape = br_graph_shape(graph, params->out);
    if (params->copies < 2 || params->copies > 3 || shape.rank != 4 || shape.dim[0] % params->copies != 0 ||
        br_shape_count(shape) > INT32_MAX)
        return br_graph_fail(graph, BR_ERROR_ARGUMENT,
                             "%s: the model's output is %s, expected [B, H, W, C] of 2 or 3 copies, not %d", name,
                             br_shape_format(shape).text, params->copies);
    shape.dim[0] /= params->copies;
    int64_t count = br_shape_count(shape) / shape.dim[0], least = (count + CHUNKS_MAX - 1) / CHUNKS_MAX;
    int64_t chunk = least > CHUNK_ELEMENTS ? least : CHUNK_ELEMENTS;
    br_guidance_attrs attrs = {.copies = params->copies,
                               .rescale = params->rescale,
                               .count = (uint32_t)count,
                               .chunk = (uint32_t)chunk,
                               .chunks = (uint32_t)((count + chunk - 1) / chunk)};
    return br_graph_node(graph, &(br_node_params){.op = BR_OP_guidance,
                                                  .name = name,
                                                  .input_count = 2,
                                                  .inputs = {params->step, params->out},
                                                  .attrs = &attrs,
                                                  .attrs_size = sizeof attrs,
                                                  .in_place = -1,
                                                  .output_count = 2,
                                                  .outputs = {{BR_F32, shape, BR_NONE},
                                                              /* (mean, M2) of both outputs for every chunk */
                                                              {BR_F32, br_shape_of(shape.dim[0], attrs.chunks, 4), BR_NONE}}});
}

static br_status emit_stage(br_emitter *emitter, const br_node *node, bool stats)
{
    const br_guidance_attrs *attrs = node->attrs;
    br_shape y = br_graph_shape(emitter->graph, node->outputs[0]);
    bool f16 = br_graph_dtype(emitter->graph, node->inputs[1]) == BR_F16;
    uint64_t elements = (uint64_t)br_shape_count(y);
    br_guidance_push push = {.total = (uint32_t)y.dim[0] * attrs->chunks,
                             .copy = (uint32_t)elements,
                             .count = attrs->count,
                             .chunk = attrs->chunk,
                             .chunks = attrs->chunks};
    br_op_dispatch dispatch = {
        .shader = stats ? (f16 ? BR_SHADER_GUIDANCE_STATS_F16 : BR_SHADER_GUIDANCE_STATS_F32)
                        : (f16 ? BR_SHADER_GUIDANCE_F16 : BR_SHADER_GUIDANCE_F32),
        .spec_count = stats ? 2 : 3,
        .spec = {br_elementwise_reduction_size(emitter), (uint32_t)attrs->copies, attrs->rescale},
        .push_size = sizeof push,
        .operand_count = stats ? 3 : 4,
        .operands = {[BR_GUIDANCE_STEP] = br_emit_whole(emitter, node->inputs[0], BR_VK_READ),
                     [BR_GUIDANCE_OUT] = br_emit_whole(emitter, node->inputs[1], BR_VK_READ),
                     [BR_GUIDANCE_PARTIAL] = br_emit_whole(emitter, node->outputs[1], stats ? BR_VK_WRITE : BR_VK_READ),
                     [BR_GUIDANCE_Y] = br_emit_whole(emitter, node->outputs[0], BR_VK_WRITE)},
        .flops = elements * (GUIDE_FLOPS + (stats ? STATS_FLOPS : APPLY_FLOPS)),
    };
    br_emit_fold(emitter, push.total, dispatch.groups);
    memcpy(dispatch.push, &push, sizeof push);
    return br_emit_dispatch(emitter, &dispatch);
}

/* The copies are bound whole: in 128 MiB there are 170 guided pictures of 1024 x 1024; br_emit_dispatch refuses more. */
br_status br_emit_guidance(br_emitter *emitter, const br_node *node)
{
    const br_guidance_attrs *attrs = node->attrs;
    if (attrs->rescale)
        BR_TRY(emit_stage(emitter, node, true));
    return emit_stage(emitter, node, false);
}
