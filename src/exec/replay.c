#include "exec/replay.h"

#include <stdlib.h>

/* A timestamp takes 40 to 170 us of lavapipe, so dispatches of fewer operations than these, which lavapipe makes in some 2 ms, are not to have one in every run:
 * with one run in RUNS_A_TIMED a picture takes 1 to 2 % longer. */
#define TIMED_FLOPS 75000000
#define RUNS_A_TIMED 8

struct br_replay {
    br_vk_recording **recordings; /* owned; one, or one for each segment of the cut */
    int recording_count;
    br_vk_recording *untimed; /* owned; recordings[0] without timestamps, where not every run has them, else NULL */
    br_vk_recording *current; /* that of the two that was begun */
    br_profile *profile;      /* borrowed; NULL: nothing is timed */
    int profiled;             /* the program's index there */
    int runs;                 /* that the profile saw */
    /* with a cut, all borrowed */
    const br_cut *cut;
    br_pool *pool;
    br_bound_weights *weights;
    uint64_t arena_bytes;
    bool repeats;
};

static br_location locate(const br_replay_params *params, br_value value)
{
    const br_program *program = params->program;
    br_value root = br_graph_root(program->graph, value);
    for (int i = 0; i < params->binding_count; i++)
        if (br_graph_root(program->graph, params->bindings[i].value) == root)
            return params->bindings[i].location;
    const br_value_info *info = br_graph_value(program->graph, root);
    const br_cut *cut = params->cut;
    if (info->kind == BR_VALUE_WEIGHT && cut && cut->chunk_of[root] >= 0)
        return br_pool_at(params->pool, cut->chunks[cut->chunk_of[root]].address + cut->offset_of[root]);
    if (info->kind == BR_VALUE_WEIGHT && params->weights)
        return br_bound_weights_find(params->weights, info);
    if (info->kind == BR_VALUE_TEMP && program->plan.offsets[root] >= 0 && cut)
        return br_pool_at(params->pool, (uint64_t)program->plan.offsets[root]);
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

/* Dispatches first .. last - 1, timed as `profile` wants it. */
static br_status record(const br_replay_params *params, int first, int last, const br_profile *profile,
                        br_vk_recording **out_recording)
{
    br_status status = NULL;
    br_vk_recorder *recorder = NULL;
    BR_TRY(br_vk_recorder_create(&(br_vk_recorder_params){.device = params->device,
                                                          .name = params->program->name,
                                                          .dispatch_max = (uint32_t)(last - first),
                                                          .beside = params->beside,
                                                          .timestamps = profile != NULL,
                                                          .gauges = profile != NULL,
                                                          .serialise = profile && profile->mode == BR_PROF_SERIALISED},
                                 &recorder));
    for (int i = first; i < last && !status; i++)
        status = record_dispatch(params, recorder, &params->program->dispatches[i]);
    if (!status)
        return br_vk_recorder_end(recorder, out_recording);
    br_vk_recorder_destroy(recorder);
    return status;
}

static bool times_some_runs(const br_replay_params *params)
{
    const br_profile *profile = params->profile;
    const br_program *program = params->program;
    return profile && profile->mode == BR_PROF_CONCURRENT && !profile->every_run && !params->cut &&
           br_vk_device_caps(params->device)->type == VK_PHYSICAL_DEVICE_TYPE_CPU &&
           program->flops < (uint64_t)program->dispatch_count * TIMED_FLOPS;
}

br_status br_replay_create(const br_replay_params *params, br_replay **out_replay)
{
    *out_replay = NULL;
    br_status status = NULL;
    const br_cut *cut = params->cut;
    const int whole[] = {0, params->program->dispatch_count};
    const int *segments = cut ? cut->segments : whole;
    int count = cut ? cut->segment_count : 1;
    br_replay *replay = calloc(1, sizeof *replay);
    if (replay)
        replay->recordings = calloc((size_t)count, sizeof *replay->recordings);
    if (!replay || !replay->recordings)
        BR_FAIL_GOTO(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory while recording %s", params->program->name);
    replay->profile = params->profile;
    replay->cut = cut;
    replay->pool = params->pool;
    replay->weights = params->weights;
    replay->arena_bytes = (uint64_t)params->program->plan.arena_bytes;
    replay->repeats = params->repeats;
    if (params->profile)
        BR_TRY_GOTO(br_probe_program(params->profile, params->program, &replay->profiled));
    for (int i = 0; i < count; i++) {
        BR_TRY_GOTO(record(params, segments[i], segments[i + 1], params->profile, &replay->recordings[i]));
        replay->recording_count++;
    }
    replay->current = replay->recordings[0];
    if (times_some_runs(params))
        BR_TRY_GOTO(record(params, 0, params->program->dispatch_count, NULL, &replay->untimed));
    *out_replay = replay;
    return NULL;
fail:
    br_replay_destroy(replay);
    return status;
}

void br_replay_destroy(br_replay *replay)
{
    if (!replay)
        return;
    if (replay->pool)
        br_pool_forget(replay->pool, replay);
    for (int i = 0; i < replay->recording_count; i++)
        br_vk_recording_destroy(replay->recordings[i]);
    br_vk_recording_destroy(replay->untimed);
    free(replay->recordings);
    free(replay);
}

/* ---- with a cut ---- */

static void advance(void *user)
{
    br_vk_recording_advance(user);
}

/* Brings chunk `index` in; `under_way` (NULL: nothing) runs meanwhile and touches none of its bytes. */
static br_status load(br_replay *replay, int index, br_vk_recording *under_way)
{
    const br_chunk *chunk = &replay->cut->chunks[index];
    br_claim claim = {replay, index, chunk->address, chunk->address + chunk->bytes};
    BR_TRY(br_pool_claim(replay->pool, &claim));
    br_status status =
        br_bound_weights_load(replay->weights, &(br_load_params){.index = index,
                                                                 .location = br_pool_at(replay->pool, chunk->address),
                                                                 .meanwhile = under_way ? advance : NULL,
                                                                 .user = under_way});
    if (status)
        br_pool_forget(replay->pool, replay);
    return status;
}

/* The chunk that segment `index` shares its slot's turn with: -1 for one before all that are streamed. */
static int chunk_of_segment(const br_replay *replay, int index)
{
    const br_cut *cut = replay->cut;
    for (int i = 0; i < cut->chunk_count; i++)
        if (cut->chunks[i].streamed && cut->chunks[i].first >= cut->segments[index] &&
            cut->chunks[i].first < cut->segments[index + 1])
            return i;
    return -1;
}

/* What the next segment to need another chunk needs: -1 when it is there, or must not come in yet. */
static int chunk_after(const br_replay *replay, int segment)
{
    const br_cut *cut = replay->cut;
    int now = chunk_of_segment(replay, segment), next = -1;
    for (int i = 1; i < cut->segment_count && next < 0; i++)
        if (segment + i < cut->segment_count || replay->repeats)
            next = chunk_of_segment(replay, (segment + i) % cut->segment_count);
    bool taken = now >= 0 && next >= 0 && cut->chunks[now].address == cut->chunks[next].address;
    return next < 0 || taken || br_pool_holds(replay->pool, replay, next) ? -1 : next;
}

/* All that stays, as far as it is not there any more, and what the first segment needs. */
static br_status bring_in(br_replay *replay)
{
    BR_TRY(br_pool_claim(replay->pool, &(br_claim){replay, -1, 0, replay->arena_bytes}));
    for (int i = 0; i < replay->cut->chunk_count; i++) {
        if (replay->cut->chunks[i].streamed || br_pool_holds(replay->pool, replay, i))
            continue;
        br_bound_weights_expect(replay->weights, i);
        BR_TRY(load(replay, i, NULL));
    }
    return NULL;
}

static br_status run_segment(br_replay *replay, int index, br_vk_stop stop, void *user)
{
    br_vk_recording *recording = replay->recordings[index];
    int own = chunk_of_segment(replay, index), next = chunk_after(replay, index);
    if (own >= 0 && !br_pool_holds(replay->pool, replay, own))
        BR_TRY(load(replay, own, NULL));
    if (next >= 0)
        br_bound_weights_expect(replay->weights, next);
    br_vk_recording_begin(recording, stop, user);
    br_status status = next >= 0 ? load(replay, next, recording) : NULL;
    br_status end = br_vk_recording_end(recording);
    if (!status)
        return end;
    br_status_free(end);
    return status;
}

static br_status run_segments(br_replay *replay, br_vk_stop stop, void *user)
{
    BR_TRY(bring_in(replay));
    for (int i = 0; i < replay->recording_count; i++) {
        if (i > 0 && stop && stop(user))
            return br_fail(BR_ERROR_CANCELLED, "cancelled in part %d of %d", i + 1, replay->recording_count);
        BR_TRY(run_segment(replay, i, stop, user));
    }
    return NULL;
}

static br_status profile_run(br_replay *replay)
{
    br_vk_recording **recordings = replay->cut ? replay->recordings : &replay->current;
    return replay->profile ? br_prof_add_run(replay->profile, replay->profiled, recordings, replay->recording_count) : NULL;
}

br_status br_replay_run(br_replay *replay, br_vk_stop stop, void *user)
{
    if (!replay->cut) {
        br_replay_begin(replay, stop, user);
        return br_replay_end(replay);
    }
    BR_TRY(run_segments(replay, stop, user));
    return profile_run(replay);
}

void br_replay_begin(br_replay *replay, br_vk_stop stop, void *user)
{
    bool seen = replay->profile && !replay->profile->paused;
    if (replay->untimed)
        replay->current = seen && replay->runs % RUNS_A_TIMED == 0 ? replay->recordings[0] : replay->untimed;
    replay->runs += seen;
    br_vk_recording_begin(replay->current, stop, user);
}

bool br_replay_done(const br_replay *replay)
{
    return br_vk_recording_done(replay->current);
}

br_status br_replay_end(br_replay *replay)
{
    BR_TRY(br_vk_recording_end(replay->current));
    return profile_run(replay);
}

const br_vk_recording *br_replay_recording(const br_replay *replay)
{
    return replay->recordings[0];
}
