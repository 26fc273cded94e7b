#include <stdio.h>
#include <string.h>

#include "pipeline/bench.h"

/* The stage of a model by itself: nothing else of the model is set up. */
typedef struct timed_stage {
    br_stage own;
    br_vk_buffer *arena; /* owned */
    br_stage *stage;     /* `own`, or the pipeline's encoder */
    br_dtype dtype;      /* of its activations */
} timed_stage;

static br_status resolve_size(const br_bench_stage_params *params, br_picture_size *out_size)
{
    const br_model_defaults *defaults = &params->pipeline->model->defaults;
    int width = params->width ? params->width : defaults->width, height = params->height ? params->height : defaults->height;
    int batch = params->batch_size ? params->batch_size : 1, factor = defaults->size_multiple;
    if (width < factor || height < factor || width % factor || height % factor || batch < 1)
        return br_fail(BR_ERROR_ARGUMENT, "size is %d×%d, batch %d; expected multiples of %d, 1 or more", width, height, batch,
                       factor);
    *out_size = (br_picture_size){.height = height / factor, .width = width / factor, .batch = batch, .copies = 2};
    return NULL;
}

static br_status find_component(const br_bench_stage_params *params, br_component *out_component)
{
    static const char *const names[BR_COMPONENT_COUNT] = {
        [BR_COMPONENT_TEXT] = "text", [BR_COMPONENT_TEXT_2] = "text_2", [BR_COMPONENT_UNET] = "unet", [BR_COMPONENT_VAE] = "vae"};
    const br_model *model = params->pipeline->model;
    for (int i = 0; i < BR_COMPONENT_COUNT; i++) {
        if (strcmp(params->stage, names[i]) != 0)
            continue;
        if (!br_model_has(model, (br_component)i))
            return br_fail(BR_ERROR_UNSUPPORTED, "%s has no %s", model->path, names[i]);
        *out_component = (br_component)i;
        return NULL;
    }
    return br_fail(BR_ERROR_ARGUMENT, "stage is \"%s\", expected text, text_2, unet, vae or encode", params->stage);
}

static void finish(timed_stage *it)
{
    br_stage_finish(&it->own);
    br_vk_buffer_destroy(it->arena);
}

static br_status begin_component(br_pipeline *pipeline, br_component component, const br_picture_size *size, timed_stage *it)
{
    br_program *program;
    const br_graph_dtypes *dtypes = component == BR_COMPONENT_UNET  ? &pipeline->dtypes.unet
                                    : component == BR_COMPONENT_VAE ? &pipeline->dtypes.vae
                                                                    : &pipeline->dtypes.text[component];
    br_bound_weights *weights = component == BR_COMPONENT_UNET  ? pipeline->unet_weights
                                : component == BR_COMPONENT_VAE ? pipeline->decoder_weights
                                                                : pipeline->text_weights[component];
    BR_TRY(br_pipeline_plan_one(pipeline, component, size, &program));
    br_status status = br_vk_buffer_create(pipeline->device, BR_VK_BUFFER_DEVICE, (uint64_t)program->plan.arena_bytes,
                                           "bench activations", &it->arena);
    if (status) {
        br_program_destroy(program);
        return status;
    }
    it->stage = &it->own;
    it->dtype = dtypes->activations;
    return br_stage_init(
        &(br_stage_params){
            .device = pipeline->device, .program = program, .weights = weights, .arena = it->arena, .profile = pipeline->profile},
        &it->own);
}

static br_status begin(const br_bench_stage_params *params, timed_stage *out_stage)
{
    br_pipeline *pipeline = params->pipeline;
    br_picture_size size;
    br_component component;
    *out_stage = (timed_stage){0};
    BR_TRY(resolve_size(params, &size));
    br_vk_device_forget_peak(pipeline->device);
    int factor = pipeline->model->defaults.size_multiple;
    br_status status = NULL;
    if (strcmp(params->stage, "encode") == 0) {
        BR_TRY(br_pipeline_prepare_encode(pipeline, size.height * factor, size.width * factor));
        out_stage->stage = &pipeline->encode;
        out_stage->dtype = pipeline->dtypes.vae.activations;
    } else {
        BR_TRY(find_component(params, &component));
        BR_TRY_GOTO(begin_component(pipeline, component, &size, out_stage));
    }
    br_prof_describe_size(pipeline->profile, size.width * factor, size.height * factor, size.batch);
    BR_TRY_GOTO(br_bench_fill(out_stage->stage));
    return NULL;
fail:
    finish(out_stage);
    return status;
}

br_status br_bench_one_stage(const br_bench_stage_params *params, br_bench_result *out_result)
{
    timed_stage it;
    *out_result = (br_bench_result){0};
    BR_TRY(begin(params, &it));
    br_status status = br_bench_run(it.stage, params->runs, out_result);
    if (!status)
        status = br_bench_look(it.stage, &out_result->finite);
    snprintf(out_result->name, sizeof out_result->name, "%s", params->stage);
    snprintf(out_result->dtype, sizeof out_result->dtype, "%s", br_dtype_name(it.dtype));
    finish(&it);
    return status;
}

br_status br_bench_profile_stage(const br_bench_stage_params *params)
{
    br_profile *profile = params->pipeline->profile;
    timed_stage it;
    int runs = params->runs ? params->runs : 1;
    if (runs < 1 || runs > BR_BENCH_RUNS_MAX)
        return br_fail(BR_ERROR_ARGUMENT, "runs is %d, expected 1 to %d", runs, BR_BENCH_RUNS_MAX);
    profile->every_run = true;
    BR_TRY(begin(params, &it));
    profile->paused = true;
    int warm_up = br_prof_begin(profile, "warm-up");
    br_status status = br_stage_run(it.stage);
    br_prof_end(profile, warm_up);
    profile->paused = false;
    for (int i = 0; i < runs && !status; i++) {
        int span = br_prof_begin(profile, params->stage);
        status = br_stage_run(it.stage);
        br_prof_end(profile, span);
    }
    finish(&it);
    return status;
}

br_status br_bench_plan_stage(const br_bench_stage_params *params, br_bench_result *out_result)
{
    br_picture_size size;
    br_component component;
    br_program *program;
    *out_result = (br_bench_result){0};
    BR_TRY(resolve_size(params, &size));
    BR_TRY(find_component(params, &component));
    BR_TRY(br_pipeline_plan_one(params->pipeline, component, &size, &program));
    br_bench_count(program, out_result);
    snprintf(out_result->name, sizeof out_result->name, "%s", params->stage);
    br_program_destroy(program);
    return NULL;
}
