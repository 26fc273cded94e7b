#include "pipeline/bench.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/f16.h"
#include "base/rng.h"
#include "common/abi.h"

#define DEFAULT_RUNS 5
/* Noise is drawn once and repeated: values must be ordinary numbers, not all different. */
#define NOISE_COUNT 4096

static int compare_doubles(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

/* The variant of the dispatch with the most FLOPs (bytes where nothing computes). */
static const char *main_variant(const br_program *program)
{
    const br_op_dispatch *most = NULL;
    for (int i = 0; i < program->dispatch_count; i++) {
        const br_op_dispatch *dispatch = &program->dispatches[i];
        if (!most || dispatch->flops > most->flops || (dispatch->flops == most->flops && dispatch->bytes > most->bytes))
            most = dispatch;
    }
    return most ? br_shaders[most->shader].name : "";
}

void br_bench_count(const br_program *program, br_bench_result *result)
{
    result->flops = (double)program->flops;
    result->bytes = (double)program->bytes;
    result->activation_bytes = (uint64_t)program->plan.arena_bytes;
    result->weight_bytes = program->weight_bytes;
    result->dispatches = program->dispatch_count;
    snprintf(result->variant, sizeof result->variant, "%s", main_variant(program));
}

br_status br_bench_run(br_stage *stage, int runs, br_bench_result *out_result)
{
    runs = runs ? runs : DEFAULT_RUNS;
    if (runs < 1 || runs > BR_BENCH_RUNS_MAX)
        return br_fail(BR_ERROR_ARGUMENT, "runs is %d, expected 1 to %d", runs, BR_BENCH_RUNS_MAX);
    double seconds[BR_BENCH_RUNS_MAX], cpu[BR_BENCH_RUNS_MAX];
    for (int i = -1; i < runs; i++) {
        double began = br_clock_seconds(), cpu_began = br_clock_thread_seconds();
        BR_TRY(br_stage_run(stage));
        if (i >= 0) {
            seconds[i] = br_clock_seconds() - began;
            cpu[i] = br_clock_thread_seconds() - cpu_began;
        }
    }
    qsort(seconds, (size_t)runs, sizeof *seconds, compare_doubles);
    qsort(cpu, (size_t)runs, sizeof *cpu, compare_doubles);
    out_result->runs = runs;
    out_result->seconds_min = seconds[0];
    out_result->seconds_median = seconds[runs / 2];
    out_result->seconds_max = seconds[runs - 1];
    out_result->cpu_seconds = cpu[runs / 2];
    br_bench_count(stage->program, out_result);
    out_result->peak_device_bytes = br_vk_device_counters(stage->device)->memory_peak_bytes;
    return NULL;
}

/* Numbers of variance 1 for states, and for matrices and kernels such that what they multiply keeps its own: nothing overflows, however deep. */
static float scale_of(const br_value_info *info)
{
    if (info->kind == BR_VALUE_STATE)
        return sqrtf(3);
    return info->shape.rank > 1 ? sqrtf(3 * (float)info->shape.dim[0] / (float)br_shape_count(info->shape)) : 1;
}

/* Weights without a file, and states: made on the device. */
static br_status draw_on_device(br_stage *stage)
{
    const br_graph *graph = stage->program->graph;
    br_status status = NULL;
    br_graph drawing;
    br_program *program = NULL;
    br_replay *replay = NULL;
    int count = 0;
    br_value_binding *bindings = calloc((size_t)stage->binding_count + 1, sizeof *bindings);
    if (!bindings)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory for random weights");
    br_graph_init(&drawing);
    for (int i = 0; i < stage->binding_count; i++) {
        const br_value_info *info = br_graph_value(graph, stage->bindings[i].value);
        if ((info->kind != BR_VALUE_WEIGHT && info->kind != BR_VALUE_STATE) || (info->dtype != BR_F32 && info->dtype != BR_F16))
            continue;
        br_value y = br_graph_state(&drawing, info->name, info->dtype, info->shape);
        br_op_random(&drawing, info->name, &(br_random_params){.y = y, .scale = scale_of(info), .seed = (uint32_t)i});
        bindings[count++] = (br_value_binding){y, stage->bindings[i].location};
    }
    if (count > 0) {
        BR_TRY_GOTO(br_program_create(&drawing, "random weights", br_vk_device_caps(stage->device), &program));
        BR_TRY_GOTO(br_replay_create(
            &(br_replay_params){.device = stage->device, .program = program, .bindings = bindings, .binding_count = count},
            &replay));
        BR_TRY_GOTO(br_replay_run(replay, NULL, NULL));
    }
fail:
    br_replay_destroy(replay);
    br_program_destroy(program);
    br_graph_finish(&drawing);
    free(bindings);
    return status;
}

/* Half way down the schedule, and a sampler that lets nothing grow. */
static const br_step step_in_between = {.timestep = 500,
                                        .input_scale = 0.5f,
                                        .guidance = 1.5f,
                                        .x_scale = 0.5f,
                                        .out_scale = 0.1f,
                                        .noise_scale = 0.1f,
                                        .h_out = 0.1f,
                                        .keep_signal = 0.5f,
                                        .keep_noise = 0.5f};

br_status br_bench_fill(br_stage *stage)
{
    const br_graph *graph = stage->program->graph;
    br_value step_value = br_graph_find(graph, "step");
    float noise[NOISE_COUNT];
    uint16_t halves[NOISE_COUNT];
    br_rng rng;
    br_rng_init(&rng, BR_RNG_CPU, 0);
    br_rng_normal(&rng, noise, NOISE_COUNT);
    for (int i = 0; i < NOISE_COUNT; i++)
        halves[i] = br_f32_to_f16(noise[i]);
    for (int i = 0; i < stage->binding_count; i++) {
        br_value value = stage->bindings[i].value;
        const br_value_info *info = br_graph_value(graph, value);
        if (info->kind != BR_VALUE_INPUT)
            continue;
        size_t size = (size_t)br_graph_bytes(graph, value);
        char *data = calloc(size, 1);
        if (!data)
            return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory for %s", info->name);
        /* Other integers, tokens among them, stay zero. */
        const void *pattern = info->dtype == BR_F32 ? (const void *)noise : info->dtype == BR_F16 ? halves : NULL;
        size_t period = info->dtype == BR_F32 ? sizeof noise : sizeof halves;
        if (value == step_value && size == sizeof step_in_between)
            memcpy(data, &step_in_between, size);
        for (size_t at = 0; pattern && at < size; at += period)
            memcpy(data + at, pattern, size - at < period ? size - at : period);
        br_status status = br_stage_write(stage, value, data, size);
        free(data);
        BR_TRY(status);
    }
    return draw_on_device(stage);
}

br_status br_bench_look(br_stage *stage, bool *out_finite)
{
    const br_graph *graph = stage->program->graph;
    *out_finite = true;
    for (int i = 0; i < stage->binding_count; i++) {
        const br_value_info *info = br_graph_value(graph, stage->bindings[i].value);
        if (info->kind != BR_VALUE_OUTPUT || (info->dtype != BR_F32 && info->dtype != BR_F16))
            continue;
        int64_t count = br_shape_count(info->shape);
        float *data = malloc((size_t)count * sizeof *data);
        if (!data)
            return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory for %s", info->name);
        br_status status = br_stage_read_floats(stage, stage->bindings[i].value, data, count);
        for (int64_t j = 0; j < count && !status; j++)
            *out_finite &= isfinite(data[j]) != 0;
        free(data);
        BR_TRY(status);
    }
    return NULL;
}

br_status br_bench_graph(const br_bench_graph_params *params, br_bench_result *out_result)
{
    br_status status = NULL;
    br_program *program = NULL;
    br_vk_buffer *arena = NULL;
    br_stage stage = {0};
    BR_TRY(br_program_create(params->graph, params->name, br_vk_device_caps(params->device), &program));
    uint64_t bytes = program->plan.arena_bytes > 0 ? (uint64_t)program->plan.arena_bytes : 256;
    status = br_vk_buffer_create(params->device, BR_VK_BUFFER_DEVICE, bytes, "bench activations", &arena);
    if (status) {
        br_program_destroy(program);
        return status;
    }
    BR_TRY_GOTO(br_stage_init(&(br_stage_params){.device = params->device, .program = program, .arena = arena}, &stage));
    BR_TRY_GOTO(br_bench_fill(&stage));
    BR_TRY_GOTO(br_bench_run(&stage, params->runs, out_result));
    snprintf(out_result->name, sizeof out_result->name, "%s", params->name);
fail:
    br_stage_finish(&stage);
    br_vk_buffer_destroy(arena);
    return status;
}
