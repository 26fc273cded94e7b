#include "exec/stage.h"

#include <stdlib.h>

#include "base/f16.h"

static br_vk_buffer_kind kind_of(const br_value_info *info)
{
    switch (info->kind) {
    case BR_VALUE_INPUT:
        return BR_VK_BUFFER_UPLOAD;
    case BR_VALUE_OUTPUT:
        return BR_VK_BUFFER_READBACK;
    default:
        return BR_VK_BUFFER_DEVICE;
    }
}

static br_status make_buffers(br_stage *stage, const br_stage_params *params)
{
    const br_graph *graph = stage->program->graph;
    stage->bindings = calloc((size_t)graph->value_count + 1, sizeof *stage->bindings);
    if (!stage->bindings)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory while setting up %s", stage->program->name);
    for (br_value i = 0; i < graph->value_count; i++) {
        const br_value_info *info = &graph->values[i];
        bool elsewhere = info->kind == BR_VALUE_WEIGHT && (params->weights || params->pool);
        bool shared = params->shared && params->shared->value == i;
        if (info->kind == BR_VALUE_TEMP || info->alias != BR_NONE || elsewhere || shared)
            continue;
        br_value_binding *binding = &stage->bindings[stage->binding_count];
        uint64_t bytes = (uint64_t)br_graph_bytes(graph, i);
        BR_TRY(br_vk_buffer_create(stage->device, kind_of(info), bytes, info->name, &binding->location.buffer));
        binding->value = i;
        stage->owned_count = ++stage->binding_count;
    }
    if (params->shared)
        stage->bindings[stage->binding_count++] = *params->shared;
    return NULL;
}

static br_status enter_pool(br_stage *stage, const br_stage_pool *pool)
{
    uint64_t bytes = br_pool_bytes(pool->pool);
    stage->pool = pool->pool;
    stage->repeats = pool->repeats;
    br_cut_params params = {
        .program = stage->program, .pool_bytes = bytes, .bank_bytes = br_pool_bank_bytes(br_vk_device_caps(stage->device), bytes)};
    stage->cut = calloc(1, sizeof *stage->cut);
    if (!stage->cut)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory while setting up %s", stage->program->name);
    BR_TRY(br_cut_init(&params, stage->cut));
    br_bind_params bind = {
        .device = stage->device, .graph = stage->program->graph, .weights = pool->weights, .name = pool->name, .cut = stage->cut};
    return br_bound_weights_create(&bind, &stage->weights);
}

br_status br_stage_init(const br_stage_params *params, br_stage *out_stage)
{
    *out_stage = (br_stage){.device = params->device,
                            .program = params->program,
                            .weights = params->weights,
                            .arena = params->arena,
                            .profile = params->profile,
                            .beside = params->beside};
    br_status status = NULL;
    br_replay_expect(params->device, params->program);
    BR_TRY_GOTO(make_buffers(out_stage, params));
    if (params->pool)
        BR_TRY_GOTO(enter_pool(out_stage, params->pool));
    return NULL;
fail:
    br_stage_finish(out_stage);
    return status;
}

br_status br_stage_record(br_stage *stage)
{
    if (stage->replay)
        return NULL;
    int span = br_prof_begin(stage->profile, "record");
    BR_TRY(br_replay_create(&(br_replay_params){.device = stage->device,
                                                .program = stage->program,
                                                .weights = stage->weights,
                                                .arena = stage->arena,
                                                .cut = stage->cut,
                                                .pool = stage->pool,
                                                .repeats = stage->repeats,
                                                .bindings = stage->bindings,
                                                .binding_count = stage->binding_count,
                                                .profile = stage->profile,
                                                .beside = stage->beside},
                            &stage->replay));
    br_prof_end(stage->profile, span);
    return NULL;
}

void br_stage_finish(br_stage *stage)
{
    br_replay_destroy(stage->replay);
    for (int i = 0; i < stage->owned_count; i++)
        br_vk_buffer_destroy(stage->bindings[i].location.buffer);
    free(stage->bindings);
    if (stage->pool)
        br_bound_weights_destroy(stage->weights);
    if (stage->cut)
        br_cut_finish(stage->cut);
    free(stage->cut);
    br_program_destroy(stage->program);
    *stage = (br_stage){0};
}

br_status br_stage_run_until(br_stage *stage, br_vk_stop stop, void *user)
{
    BR_TRY(br_stage_record(stage));
    return br_status_prefix(br_replay_run(stage->replay, stop, user), "%s", stage->program->name);
}

br_status br_stage_run(br_stage *stage)
{
    return br_stage_run_until(stage, NULL, NULL);
}

br_status br_stage_begin(br_stage *stage)
{
    BR_TRY(br_stage_record(stage));
    br_replay_begin(stage->replay, NULL, NULL);
    return NULL;
}

bool br_stage_done(const br_stage *stage)
{
    return br_replay_done(stage->replay);
}

br_status br_stage_end(br_stage *stage)
{
    return br_status_prefix(br_replay_end(stage->replay), "%s", stage->program->name);
}

static br_status find(const br_stage *stage, br_value value, uint64_t size, br_vk_buffer **out_buffer)
{
    const br_graph *graph = stage->program->graph;
    br_value root = br_graph_root(graph, value);
    uint64_t bytes = (uint64_t)br_graph_bytes(graph, root);
    if (bytes != size)
        return br_fail(BR_ERROR_ARGUMENT, "%s has %llu bytes, got %llu", br_graph_value(graph, value)->name,
                       (unsigned long long)bytes, (unsigned long long)size);
    for (int i = 0; i < stage->binding_count; i++) {
        if (stage->bindings[i].value == root) {
            *out_buffer = stage->bindings[i].location.buffer;
            return NULL;
        }
    }
    return br_fail(BR_ERROR_ARGUMENT, "%s is not kept outside the arena", br_graph_value(graph, value)->name);
}

br_status br_stage_write(br_stage *stage, br_value value, const void *data, uint64_t size)
{
    br_vk_buffer *buffer;
    BR_TRY(find(stage, value, size, &buffer));
    return br_vk_upload(stage->device, buffer, 0, size, data);
}

br_status br_stage_read(br_stage *stage, br_value value, void *out_data, uint64_t size)
{
    br_vk_buffer *buffer;
    BR_TRY(find(stage, value, size, &buffer));
    return br_vk_download(stage->device, buffer, 0, size, out_data);
}

br_status br_stage_write_floats(br_stage *stage, br_value value, const float *data, int64_t count)
{
    if (br_graph_dtype(stage->program->graph, value) != BR_F16)
        return br_stage_write(stage, value, data, (uint64_t)count * sizeof *data);
    uint16_t *halves = malloc((size_t)count * sizeof *halves);
    if (!halves)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory for %lld half floats", (long long)count);
    for (int64_t i = 0; i < count; i++)
        halves[i] = br_f32_to_f16(data[i]);
    br_status status = br_stage_write(stage, value, halves, (uint64_t)count * sizeof *halves);
    free(halves);
    return status;
}

br_status br_stage_read_floats(br_stage *stage, br_value value, float *out_data, int64_t count)
{
    if (br_graph_dtype(stage->program->graph, value) != BR_F16)
        return br_stage_read(stage, value, out_data, (uint64_t)count * sizeof *out_data);
    uint16_t *halves = malloc((size_t)count * sizeof *halves);
    if (!halves)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory for %lld half floats", (long long)count);
    br_status status = br_stage_read(stage, value, halves, (uint64_t)count * sizeof *halves);
    for (int64_t i = 0; i < count && !status; i++)
        out_data[i] = br_f32_from_f16(halves[i]);
    free(halves);
    return status;
}
