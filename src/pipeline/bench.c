#include "pipeline/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/f16.h"
#include "base/rng.h"

#define DEFAULT_RUNS 5
#define RUNS_MAX 1000
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

br_status br_bench_run(br_stage *stage, int runs, br_bench_result *out_result)
{
    runs = runs ? runs : DEFAULT_RUNS;
    if (runs < 1 || runs > RUNS_MAX)
        return br_fail(BR_ERROR_ARGUMENT, "runs is %d, expected 1 to %d", runs, RUNS_MAX);
    double seconds[RUNS_MAX], cpu[RUNS_MAX];
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
    const br_program *program = stage->program;
    out_result->runs = runs;
    out_result->seconds_min = seconds[0];
    out_result->seconds_median = seconds[runs / 2];
    out_result->seconds_max = seconds[runs - 1];
    out_result->cpu_seconds = cpu[runs / 2];
    out_result->flops = (double)program->flops;
    out_result->bytes = (double)program->bytes;
    out_result->activation_bytes = (uint64_t)program->plan.arena_bytes;
    out_result->weight_bytes = program->weight_bytes;
    out_result->peak_device_bytes = br_vk_device_counters(stage->device)->memory_peak_bytes;
    snprintf(out_result->variant, sizeof out_result->variant, "%s", main_variant(program));
    return NULL;
}

static br_status fill_noise(br_stage *stage)
{
    const br_graph *graph = stage->program->graph;
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
        if (info->kind == BR_VALUE_OUTPUT)
            continue;
        size_t size = (size_t)br_graph_bytes(graph, value);
        char *data = calloc(size, 1);
        if (!data)
            return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory for %s", info->name);
        /* The others, tokens and the step buffer among them, stay zero. */
        const void *pattern = info->dtype == BR_F32 ? (const void *)noise : info->dtype == BR_F16 ? halves : NULL;
        size_t step = info->dtype == BR_F32 ? sizeof noise : sizeof halves;
        for (size_t at = 0; pattern && at < size; at += step)
            memcpy(data + at, pattern, size - at < step ? size - at : step);
        br_status status = br_stage_write(stage, value, data, size);
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
    BR_TRY_GOTO(fill_noise(&stage));
    BR_TRY_GOTO(br_bench_run(&stage, params->runs, out_result));
    snprintf(out_result->name, sizeof out_result->name, "%s", params->name);
fail:
    br_stage_finish(&stage);
    br_vk_buffer_destroy(arena);
    return status;
}

/* ---- stages of a model ---- */

/* Also tells the dtype of the stage's activations. */
static br_status prepare_stage(const br_bench_stage_params *params, br_stage **out_stage, br_dtype *out_dtype)
{
    br_pipeline *pipeline = params->pipeline;
    const br_model_defaults *defaults = &pipeline->model->defaults;
    int width = params->width ? params->width : defaults->width, height = params->height ? params->height : defaults->height;
    int batch = params->batch_size ? params->batch_size : 1, factor = defaults->size_multiple;
    if (width < factor || height < factor || width % factor || height % factor || batch < 1)
        return br_fail(BR_ERROR_ARGUMENT, "size is %d×%d, batch %d; expected multiples of %d, 1 or more", width, height, batch,
                       factor);
    if (strcmp(params->stage, "encode") == 0) {
        BR_TRY(br_pipeline_prepare_encode(pipeline, height, width));
        *out_stage = &pipeline->encode;
        *out_dtype = pipeline->dtypes.vae.activations;
        return NULL;
    }
    static const char *const names[] = {"text", "text_2", "unet", "vae"};
    br_stage *const stages[] = {&pipeline->text[BR_COMPONENT_TEXT], &pipeline->text[BR_COMPONENT_TEXT_2], &pipeline->denoise,
                                &pipeline->decode};
    const br_dtype dtypes[] = {BR_F32, BR_F32, pipeline->dtypes.unet.activations, pipeline->dtypes.vae.activations};
    for (int i = 0; i < BR_COMPONENT_COUNT; i++) {
        if (strcmp(params->stage, names[i]) == 0) {
            if (!br_model_has(pipeline->model, (br_component)i))
                return br_fail(BR_ERROR_UNSUPPORTED, "%s has no %s", pipeline->model->path, names[i]);
            *out_stage = stages[i];
            *out_dtype = dtypes[i];
            return br_pipeline_prepare(
                pipeline, &(br_picture_size){.height = height / factor, .width = width / factor, .batch = batch, .copies = 2});
        }
    }
    return br_fail(BR_ERROR_ARGUMENT, "stage is \"%s\", expected text, text_2, unet, vae or encode", params->stage);
}

br_status br_bench_one_stage(const br_bench_stage_params *params, br_bench_result *out_result)
{
    *out_result = (br_bench_result){0};
    br_stage *stage;
    br_dtype dtype;
    BR_TRY(prepare_stage(params, &stage, &dtype));
    BR_TRY(fill_noise(stage));
    BR_TRY(br_bench_run(stage, params->runs, out_result));
    snprintf(out_result->name, sizeof out_result->name, "%s", params->stage);
    snprintf(out_result->dtype, sizeof out_result->dtype, "%s", br_dtype_name(dtype));
    return NULL;
}

br_status br_bench_profile_stage(const br_bench_stage_params *params)
{
    br_profile *profile = params->pipeline->profile;
    br_stage *stage;
    br_dtype dtype;
    int runs = params->runs ? params->runs : 1;
    if (runs < 1 || runs > RUNS_MAX)
        return br_fail(BR_ERROR_ARGUMENT, "runs is %d, expected 1 to %d", runs, RUNS_MAX);
    BR_TRY(prepare_stage(params, &stage, &dtype));
    BR_TRY(fill_noise(stage));
    profile->paused = true;
    int warm_up = br_prof_begin(profile, "warm-up");
    br_status status = br_stage_run(stage);
    br_prof_end(profile, warm_up);
    profile->paused = false;
    for (int i = 0; i < runs && !status; i++) {
        int span = br_prof_begin(profile, params->stage);
        status = br_stage_run(stage);
        br_prof_end(profile, span);
    }
    return status;
}
