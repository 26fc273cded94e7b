#include "exec/replay.h"

#include <stdlib.h>

struct br_replay {
    br_vk_recording *recording; /* owned */
    br_profile *profile;        /* borrowed; NULL: nothing is timed */
    int profiled;               /* the program's index there */
};

static br_location locate(const br_replay_params *params, br_value value)
{
    const br_program *program = params->program;
    br_value root = br_graph_root(program->graph, value);
    for (int i = 0; i < params->binding_count; i++)
        if (br_graph_root(program->graph, params->bindings[i].value) == root)
            return params->bindings[i].location;
    const br_value_info *info = br_graph_value(program->graph, root);
    if (info->kind == BR_VALUE_WEIGHT && params->weights)
        return br_bound_weights_find(params->weights, info);
    if (info->kind == BR_VALUE_TEMP && program->plan.offsets[root] >= 0)
        return (br_location){params->arena, (uint64_t)program->plan.offsets[root]};
    return (br_location){0};
}

void br_replay_expect(br_vk_device *device, const br_program *program)
{
    for (int i = 0; i < program->dispatch_count; i++) {
        br_vk_pipeline_params pipeline = br_program_pipeline(&program->dispatches[i]);
        br_vk_device_expect_pipeline(device, &pipeline);
    }
}

static br_status record_dispatch(const br_replay_params *params, br_vk_recorder *recorder, const br_op_dispatch *dispatch)
{
    br_vk_pipeline_params pipeline = br_program_pipeline(dispatch);
    br_vk_dispatch command = {.name = dispatch->name,
                              .binding_count = dispatch->operand_count,
                              .push = dispatch->push,
                              .groups = {dispatch->groups[0], dispatch->groups[1], dispatch->groups[2]},
                              .flops = dispatch->flops};
    for (uint32_t i = 0; i < dispatch->operand_count; i++) {
        const br_operand *operand = &dispatch->operands[i];
        br_location location = locate(params, operand->value);
        if (!location.buffer)
            return br_fail(BR_ERROR_ARGUMENT, "%s: %s has no buffer", dispatch->name,
                           br_graph_value(params->program->graph, operand->value)->name);
        command.bindings[i] = (br_vk_binding){.buffer = location.buffer,
                                              .offset = location.offset + operand->offset,
                                              .size = operand->size,
                                              .access = operand->access};
    }
    BR_TRY(br_vk_device_pipeline(params->device, &pipeline, &command.pipeline));
    return br_vk_recorder_dispatch(recorder, &command);
}

br_status br_replay_create(const br_replay_params *params, br_replay **out_replay)
{
    *out_replay = NULL;
    br_status status = NULL;
    br_vk_recorder *recorder = NULL;
    br_replay *replay = calloc(1, sizeof *replay);
    if (!replay)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory while recording %s", params->program->name);
    replay->profile = params->profile;
    if (params->profile)
        BR_TRY_GOTO(br_probe_program(params->profile, params->program, &replay->profiled));
    BR_TRY_GOTO(
        br_vk_recorder_create(&(br_vk_recorder_params){.device = params->device,
                                                       .name = params->program->name,
                                                       .dispatch_max = (uint32_t)params->program->dispatch_count,
                                                       .timestamps = params->profile != NULL,
                                                       .gauges = params->profile != NULL,
                                                       .serialise = params->profile && params->profile->mode == BR_PROF_SERIALISED},
                              &recorder));
    for (int i = 0; i < params->program->dispatch_count; i++)
        BR_TRY_GOTO(record_dispatch(params, recorder, &params->program->dispatches[i]));
    status = br_vk_recorder_end(recorder, &replay->recording);
    recorder = NULL;
    if (status)
        goto fail;
    *out_replay = replay;
    return NULL;
fail:
    br_vk_recorder_destroy(recorder);
    br_replay_destroy(replay);
    return status;
}

void br_replay_destroy(br_replay *replay)
{
    if (!replay)
        return;
    br_vk_recording_destroy(replay->recording);
    free(replay);
}

br_status br_replay_run(br_replay *replay, br_vk_stop stop, void *user)
{
    BR_TRY(stop ? br_vk_recording_run_until(replay->recording, stop, user) : br_vk_recording_run(replay->recording));
    return replay->profile ? br_prof_add_run(replay->profile, replay->profiled, replay->recording) : NULL;
}

const br_vk_recording *br_replay_recording(const br_replay *replay)
{
    return replay->recording;
}
