#include "support/op.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/f16.h"
#include "exec/replay.h"

/* NaN in both 16-bit and 32-bit floats. */
#define POISON_BYTE 0xff

static void encode(br_dtype dtype, const float *values, size_t count, void *dst)
{
    for (size_t i = 0; i < count; i++) {
        if (dtype == BR_F32)
            ((float *)dst)[i] = values[i];
        else if (dtype == BR_F16)
            ((uint16_t *)dst)[i] = br_f32_to_f16(values[i]);
        else
            ((int32_t *)dst)[i] = (int32_t)values[i];
    }
}

static void decode(br_dtype dtype, const void *src, size_t count, float *values)
{
    for (size_t i = 0; i < count; i++) {
        if (dtype == BR_F32)
            values[i] = ((const float *)src)[i];
        else if (dtype == BR_F16)
            values[i] = br_f32_from_f16(((const uint16_t *)src)[i]);
        else
            values[i] = (float)((const int32_t *)src)[i];
    }
}

static const br_test_tensor *find_input(const br_test_run_params *params, br_value value)
{
    for (int i = 0; i < params->input_count; i++)
        if (params->inputs[i].value == value)
            return &params->inputs[i];
    return NULL;
}

static br_status fill(br_vk_device *device, br_vk_buffer *buffer, const br_graph *graph, br_value value,
                      const br_test_tensor *input)
{
    size_t bytes = (size_t)br_graph_bytes(graph, value);
    void *host = malloc(bytes);
    if (!host)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory in a test");
    memset(host, POISON_BYTE, bytes);
    if (input && input->raw)
        memcpy(host, input->raw, bytes);
    else if (input)
        encode(br_graph_dtype(graph, value), input->data, (size_t)br_shape_count(br_graph_shape(graph, value)), host);
    br_status status = br_vk_upload(device, buffer, 0, bytes, host);
    free(host);
    return status;
}

static br_status read_output(br_vk_device *device, br_vk_buffer *buffer, const br_graph *graph, const br_test_tensor *output)
{
    size_t bytes = (size_t)br_graph_bytes(graph, output->value);
    void *host = malloc(bytes);
    if (!host)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory in a test");
    br_status status = br_vk_download(device, buffer, 0, bytes, host);
    if (!status)
        decode(br_graph_dtype(graph, output->value), host, (size_t)br_shape_count(br_graph_shape(graph, output->value)),
               output->data);
    free(host);
    return status;
}

static br_status make_arena(br_vk_device *device, int64_t bytes, br_vk_buffer **out_arena)
{
    size_t size = bytes > 0 ? (size_t)bytes : 256;
    BR_TRY(br_vk_buffer_create(device, BR_VK_BUFFER_DEVICE, size, "test arena", out_arena));
    void *host = malloc(size);
    if (!host)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory in a test");
    memset(host, POISON_BYTE, size);
    br_status status = br_vk_upload(device, *out_arena, 0, size, host);
    free(host);
    return status;
}

br_status br_test_run(const br_test_run_params *params)
{
    br_status status = NULL;
    br_vk_device *device = params->device->device;
    br_program *program = NULL;
    br_replay *replay = NULL;
    br_vk_buffer *arena = NULL;
    br_value_binding *bindings = NULL;
    int count = 0;

    BR_TRY(br_program_create(params->graph, "test", params->device->caps, &program));
    const br_graph *graph = program->graph;
    bindings = calloc((size_t)graph->value_count + 1, sizeof *bindings);
    if (!bindings)
        BR_FAIL_GOTO(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory in a test");
    for (br_value i = 0; i < graph->value_count; i++) {
        const br_value_info *info = &graph->values[i];
        if (info->kind == BR_VALUE_TEMP || info->alias != BR_NONE)
            continue;
        br_value_binding *binding = &bindings[count++];
        binding->value = i;
        BR_TRY_GOTO(br_vk_buffer_create(device, BR_VK_BUFFER_DEVICE, (uint64_t)br_graph_bytes(graph, i), info->name,
                                        &binding->location.buffer));
        BR_TRY_GOTO(fill(device, binding->location.buffer, graph, i, find_input(params, i)));
    }
    BR_TRY_GOTO(make_arena(device, program->plan.arena_bytes, &arena));
    BR_TRY_GOTO(br_replay_create(
        &(br_replay_params){.device = device, .program = program, .arena = arena, .bindings = bindings, .binding_count = count},
        &replay));
    for (int i = 0; i < (params->replays ? params->replays : 1); i++)
        BR_TRY_GOTO(br_replay_run(replay, NULL, NULL));
    for (int i = 0; i < params->output_count; i++)
        for (int j = 0; j < count; j++)
            if (bindings[j].value == br_graph_root(graph, params->outputs[i].value))
                BR_TRY_GOTO(read_output(device, bindings[j].location.buffer, graph, &params->outputs[i]));
fail:
    br_replay_destroy(replay);
    for (int i = 0; i < count; i++)
        br_vk_buffer_destroy(bindings[i].location.buffer);
    br_vk_buffer_destroy(arena);
    free(bindings);
    br_program_destroy(program);
    return status;
}

void br_test_random(float *out_values, size_t count, uint32_t seed)
{
    uint64_t state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    for (size_t i = 0; i < count; i++) { /* splitmix64 */
        state += UINT64_C(0x9e3779b97f4a7c15);
        uint64_t z = state;
        z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
        z ^= z >> 31;
        out_values[i] = (float)((double)(z >> 40) / (double)(1 << 23) - 1.0);
    }
}

void br_test_round_f16(float *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        values[i] = br_f32_from_f16(br_f32_to_f16(values[i]));
}
