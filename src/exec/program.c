#include "exec/program.h"

#include <stdlib.h>

/* Offsets in the arena satisfy every device limit (at most 256 bytes) with one rule. */
#define PLAN_ALIGNMENT 256

static br_status emit(br_program *program, const br_vk_caps *caps)
{
    br_emitter emitter;
    br_emitter_init(&emitter, program->graph, caps);
    br_status status = br_emitter_run(&emitter);
    if (!status) {
        program->dispatches = emitter.dispatches;
        program->dispatch_count = emitter.count;
        emitter.dispatches = NULL;
        for (int i = 0; i < program->dispatch_count; i++) {
            program->flops += program->dispatches[i].flops;
            program->bytes += program->dispatches[i].bytes;
        }
    }
    br_emitter_finish(&emitter);
    return status;
}

br_status br_program_create(br_graph *graph, const char *name, const br_vk_caps *caps, br_program **out_program)
{
    *out_program = NULL;
    br_status status = NULL;
    br_program *program = calloc(1, sizeof *program);
    br_graph *owned = malloc(sizeof *owned);
    if (!program || !owned) {
        free(program);
        free(owned);
        br_graph_finish(graph);
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory while building the program %s", name);
    }
    *owned = *graph;
    *graph = (br_graph){0};
    program->graph = owned;
    program->name = name;
    BR_TRY_GOTO(br_graph_verify(owned));
    BR_TRY_GOTO(emit(program, caps));
    BR_TRY_GOTO(br_plan_init(owned, PLAN_ALIGNMENT, &program->plan));
    for (br_value i = 0; i < owned->value_count; i++)
        if (owned->values[i].kind == BR_VALUE_WEIGHT && owned->values[i].alias == BR_NONE)
            program->weight_bytes += (uint64_t)br_graph_bytes(owned, i);
    *out_program = program;
    return NULL;
fail:
    br_program_destroy(program);
    return status;
}

br_vk_pipeline_params br_program_pipeline(const br_op_dispatch *dispatch)
{
    const br_shader *shader = &br_shaders[dispatch->shader];
    br_vk_pipeline_params params = {.name = shader->name,
                                    .words = shader->words,
                                    .size = shader->size,
                                    .binding_count = dispatch->operand_count,
                                    .push_size = dispatch->push_size,
                                    .spec_count = dispatch->spec_count,
                                    .subgroup_size = dispatch->subgroup_size};
    for (uint32_t i = 0; i < dispatch->spec_count; i++)
        params.spec[i] = dispatch->spec[i];
    return params;
}

void br_program_destroy(br_program *program)
{
    if (!program)
        return;
    free(program->dispatches);
    br_plan_finish(&program->plan);
    br_graph_finish(program->graph);
    free(program->graph);
    free(program);
}
