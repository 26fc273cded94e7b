#include "pipeline/pipeline.h"

#include <math.h>
#include <stdlib.h>

#include "pipeline/layout.h"

/* Any size will do to list a model's weights. */
#define WEIGHTS_ONLY_SIZE 8
/* diffusers' DiagonalGaussianDistribution clamps the logarithm of the variance to this. */
#define LOG_VARIANCE_MIN -30.0f
#define LOG_VARIANCE_MAX 20.0f
/* Chunks of prompts that are encoded at once; more gain no speed, but need their activations. */
#define TEXT_BATCH_MAX 16

br_status br_pipeline_choose_dtypes(const br_model *model, const br_vk_caps *caps, br_precision precision,
                                    br_pipeline_dtypes *out_dtypes)
{
    if (precision == BR_PRECISION_F16 && !caps->f16_storage)
        return br_fail(BR_ERROR_UNSUPPORTED, "%s cannot store 16-bit floats, expected --dtype f32 or auto", caps->name);
    bool f16 = precision == BR_PRECISION_F16 || (precision == BR_PRECISION_AUTO && caps->f16_storage);
    br_dtype activations = f16 ? BR_F16 : BR_F32;
    br_dtype matrices[BR_COMPONENT_COUNT];
    for (int i = 0; i < BR_COMPONENT_COUNT; i++) {
        bool stored = br_model_has(model, (br_component)i) && br_model_stored_dtype(model, (br_component)i) == BR_F16;
        matrices[i] = f16 || (caps->f16_storage && stored) ? BR_F16 : BR_F32;
    }
    *out_dtypes = (br_pipeline_dtypes){
        .f16 = f16,
        .text = {{BR_F32, matrices[BR_COMPONENT_TEXT], model->parts[BR_COMPONENT_TEXT].weights},
                 {BR_F32, matrices[BR_COMPONENT_TEXT_2], model->parts[BR_COMPONENT_TEXT_2].weights}},
        .unet = {activations, matrices[BR_COMPONENT_UNET], model->parts[BR_COMPONENT_UNET].weights},
        .vae = {model->vae.force_upcast ? BR_F32 : activations, matrices[BR_COMPONENT_VAE], model->parts[BR_COMPONENT_VAE].weights},
    };
    return NULL;
}

/* ---- planning ---- */

int br_pipeline_clip_skip(const br_model *model, const br_picture_size *size)
{
    return size->clip_skip ? size->clip_skip : model->pooled ? BR_CLIP_SKIP_SDXL : BR_CLIP_SKIP_LAST;
}

static int chunks_of(const br_picture_size *size)
{
    return size->chunks ? size->chunks : 1;
}

int br_pipeline_text_batch(const br_picture_size *size)
{
    int rows = 2 * chunks_of(size);
    return rows < TEXT_BATCH_MAX ? rows : TEXT_BATCH_MAX;
}

/* Stable Diffusion 1 and 2 norm the states of whatever layer; SDXL takes them as they are (diffusers' encode_prompt of both). */
static br_text_params text_params(const br_model *model, const br_pipeline_dtypes *dtypes, const br_picture_size *size,
                                  br_component component)
{
    return (br_text_params){.config = &model->text[component].config,
                            .dtypes = dtypes->text[component],
                            .batch = br_pipeline_text_batch(size),
                            .skip = br_pipeline_clip_skip(model, size) - 1,
                            .norm = model->pooled == 0,
                            .pooled = model->pooled > 0 && component == BR_COMPONENT_TEXT_2,
                            .vectors = size->vectors};
}

int br_pipeline_context_length(const br_model *model)
{
    br_component first = br_model_has(model, BR_COMPONENT_TEXT) ? BR_COMPONENT_TEXT : BR_COMPONENT_TEXT_2;
    return model->text[first].config.max_position_embeddings;
}

static br_denoise_params denoise_params(const br_model *model, const br_pipeline_dtypes *dtypes, const br_picture_size *size)
{
    return (br_denoise_params){.unet = &model->unet,
                               .dtypes = dtypes->unet,
                               .batch = size->batch,
                               .copies = size->copies,
                               .rescale = size->rescale,
                               .keep = size->keep,
                               .height = size->height,
                               .width = size->width,
                               .tokens = chunks_of(size) * br_pipeline_context_length(model),
                               .pooled = model->pooled,
                               .time_ids = model->time_ids};
}

br_graph_vae br_pipeline_vae(const br_model *model)
{
    return (br_graph_vae){.config = &model->vae, .tiny = model->tiny_vae ? &model->taesd : NULL};
}

/* What planning reads. */
typedef struct planning {
    const br_model *model;
    const br_vk_caps *caps;
    const br_pipeline_dtypes *dtypes;
    const br_picture_size *size;
} planning;

static br_status plan_text(const planning *it, br_component component, br_text_graph *out_values, br_program **out_program)
{
    static const char *const names[BR_MODEL_TEXT_MAX] = {"text encoder", "second text encoder"};
    br_text_params text = text_params(it->model, it->dtypes, it->size, component);
    br_graph graph;
    br_graph_init(&graph);
    br_graph_build_text(&graph, &text, out_values);
    return br_program_create(&graph, names[component], it->caps, out_program);
}

static br_status plan_cross(const planning *it, br_cross_graph *out_values, br_program **out_program)
{
    br_denoise_params denoise = denoise_params(it->model, it->dtypes, it->size);
    br_graph graph;
    br_graph_init(&graph);
    br_graph_build_cross(&graph, &denoise, out_values);
    return br_program_create(&graph, "keys and values of the prompt", it->caps, out_program);
}

static br_status plan_denoise(const planning *it, br_denoise_graph *out_values, br_program **out_program)
{
    br_denoise_params denoise = denoise_params(it->model, it->dtypes, it->size);
    br_graph graph;
    br_graph_init(&graph);
    br_graph_build_denoise(&graph, &denoise, out_values);
    return br_program_create(&graph, "denoising step", it->caps, out_program);
}

static br_status plan_decode(const planning *it, br_decode_graph *out_values, br_program **out_program)
{
    br_graph graph;
    br_graph_init(&graph);
    br_graph_build_decode(&graph, br_pipeline_vae(it->model), it->dtypes->vae, it->size->height, it->size->width, out_values);
    return br_program_create(&graph, "VAE decoder", it->caps, out_program);
}

br_status br_pipeline_plan(const br_model *model, const br_vk_caps *caps, const br_pipeline_dtypes *dtypes,
                           const br_picture_size *size, br_pipeline_programs *out_programs)
{
    br_status status = NULL;
    br_pipeline_programs programs = {0};
    const planning it = {model, caps, dtypes, size};
    for (int i = 0; i < BR_MODEL_TEXT_MAX; i++)
        if (br_model_has(model, (br_component)i))
            BR_TRY_GOTO(plan_text(&it, (br_component)i, &programs.text_values[i], &programs.text[i]));
    if (br_unet_cross_width(&model->unet))
        BR_TRY_GOTO(plan_cross(&it, &programs.cross_values, &programs.cross));
    BR_TRY_GOTO(plan_denoise(&it, &programs.denoise_values, &programs.denoise));
    BR_TRY_GOTO(plan_decode(&it, &programs.decode_values, &programs.decode));
    *out_programs = programs;
    return NULL;
fail:
    br_pipeline_programs_finish(&programs);
    *out_programs = programs;
    return status;
}

br_status br_pipeline_plan_one(const br_pipeline *pipeline, br_component component, const br_picture_size *size,
                               br_program **out_program)
{
    const planning it = {pipeline->model, br_vk_device_caps(pipeline->device), &pipeline->dtypes, size};
    br_text_graph text;
    br_denoise_graph denoise;
    br_decode_graph decode;
    if (component == BR_COMPONENT_UNET)
        return plan_denoise(&it, &denoise, out_program);
    return component == BR_COMPONENT_VAE ? plan_decode(&it, &decode, out_program) : plan_text(&it, component, &text, out_program);
}

void br_pipeline_programs_finish(br_pipeline_programs *programs)
{
    for (int i = 0; i < BR_MODEL_TEXT_MAX; i++)
        br_program_destroy(programs->text[i]);
    br_program_destroy(programs->cross);
    br_program_destroy(programs->denoise);
    br_program_destroy(programs->decode);
    *programs = (br_pipeline_programs){0};
}

/* ---- weights ---- */

/* Consumes `graph`, which was built only to know which weights there are. */
static br_status bind_weights(br_pipeline *pipeline, br_component component, br_graph *graph, br_bound_weights **out_weights)
{
    const br_model_part *part = &pipeline->model->parts[component];
    br_status status = br_graph_verify(graph);
    if (!status)
        status = br_bound_weights_create(
            &(br_bind_params){.device = pipeline->device, .graph = graph, .weights = part->weights, .name = part->name},
            out_weights);
    br_graph_finish(graph);
    return status;
}

static br_status upload_weights(br_pipeline *pipeline)
{
    const br_model *model = pipeline->model;
    br_graph graph;
    const br_picture_size size = {
        .height = WEIGHTS_ONLY_SIZE, .width = WEIGHTS_ONLY_SIZE, .batch = 1, .copies = 1, .clip_skip = BR_CLIP_SKIP_LAST};
    for (int i = 0; i < BR_MODEL_TEXT_MAX; i++) {
        if (!br_model_has(model, (br_component)i))
            continue;
        br_text_params text = text_params(model, &pipeline->dtypes, &size, (br_component)i);
        br_text_graph values;
        br_graph_init(&graph);
        br_graph_build_text(&graph, &text, &values);
        BR_TRY(bind_weights(pipeline, (br_component)i, &graph, &pipeline->text_weights[i]));
    }

    br_denoise_params params = denoise_params(model, &pipeline->dtypes, &size);
    if (br_unet_cross_width(&model->unet)) {
        br_cross_graph cross;
        br_graph_init(&graph);
        br_graph_build_cross(&graph, &params, &cross);
        BR_TRY(bind_weights(pipeline, BR_COMPONENT_UNET, &graph, &pipeline->cross_weights));
    }
    br_denoise_graph denoise;
    br_graph_init(&graph);
    br_graph_build_denoise(&graph, &params, &denoise);
    BR_TRY(bind_weights(pipeline, BR_COMPONENT_UNET, &graph, &pipeline->unet_weights));

    br_decode_graph decode;
    br_graph_init(&graph);
    br_graph_build_decode(&graph, br_pipeline_vae(model), pipeline->dtypes.vae, WEIGHTS_ONLY_SIZE, WEIGHTS_ONLY_SIZE, &decode);
    return bind_weights(pipeline, BR_COMPONENT_VAE, &graph, &pipeline->decoder_weights);
}

void br_pipeline_expect(br_vk_device *device, const br_model *model, br_precision precision, const br_picture_size *size)
{
    const br_vk_caps *caps = br_vk_device_caps(device);
    br_pipeline_dtypes dtypes;
    br_pipeline_programs programs;
    br_status status = br_pipeline_choose_dtypes(model, caps, precision, &dtypes);
    if (!status)
        status = br_pipeline_plan(model, caps, &dtypes, size, &programs);
    if (!status) {
        for (int i = 0; i < BR_MODEL_TEXT_MAX; i++)
            if (programs.text[i])
                br_replay_expect(device, programs.text[i]);
        if (programs.cross)
            br_replay_expect(device, programs.cross);
        br_replay_expect(device, programs.denoise);
        br_replay_expect(device, programs.decode);
        br_pipeline_programs_finish(&programs);
    }
    br_status_free(status);
}

br_status br_pipeline_open_bare(br_vk_device *device, const br_model *model, br_precision precision, br_pipeline **out_pipeline)
{
    *out_pipeline = NULL;
    br_status status = NULL;
    br_pipeline *pipeline = calloc(1, sizeof *pipeline);
    if (!pipeline)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory while loading %s", model->path);
    pipeline->device = device;
    pipeline->model = model;
    BR_TRY_GOTO(br_pipeline_choose_dtypes(model, br_vk_device_caps(device), precision, &pipeline->dtypes));
    *out_pipeline = pipeline;
    return NULL;
fail:
    br_pipeline_close(pipeline);
    return status;
}

br_status br_pipeline_open(br_vk_device *device, const br_model *model, br_precision precision, br_pipeline **out_pipeline)
{
    BR_TRY(br_pipeline_open_bare(device, model, precision, out_pipeline));
    br_status status = model->weightless ? NULL : upload_weights(*out_pipeline);
    if (status) {
        br_pipeline_close(*out_pipeline);
        *out_pipeline = NULL;
    }
    return status;
}

/* ---- stages ---- */

static void drop_stages(br_pipeline *pipeline)
{
    for (int i = 0; i < BR_MODEL_TEXT_MAX; i++)
        br_stage_finish(&pipeline->text[i]);
    br_stage_finish(&pipeline->cross);
    br_stage_finish(&pipeline->denoise);
    br_stage_finish(&pipeline->decode);
    br_vk_buffer_destroy(pipeline->cross_buffer);
    br_vk_buffer_destroy(pipeline->arena);
    pipeline->arena = pipeline->cross_buffer = NULL;
    pipeline->size = (br_picture_size){0};
}

static void drop_encode(br_pipeline *pipeline)
{
    br_stage_finish(&pipeline->encode);
    br_vk_buffer_destroy(pipeline->encode_arena);
    pipeline->encode_arena = NULL;
    pipeline->encode_size = (br_picture_size){0};
}

void br_pipeline_close(br_pipeline *pipeline)
{
    if (!pipeline)
        return;
    drop_stages(pipeline);
    drop_encode(pipeline);
    for (int i = 0; i < BR_MODEL_TEXT_MAX; i++)
        br_bound_weights_destroy(pipeline->text_weights[i]);
    br_bound_weights_destroy(pipeline->cross_weights);
    br_bound_weights_destroy(pipeline->unet_weights);
    br_bound_weights_destroy(pipeline->decoder_weights);
    br_bound_weights_destroy(pipeline->encoder_weights);
    free(pipeline);
}

/* Takes *program over. `shared`: see br_stage_params; may be NULL. */
static br_status start_stage(br_pipeline *pipeline, br_program **program, const br_bound_weights *weights, br_vk_buffer *arena,
                             const br_value_binding *shared, br_stage *out_stage)
{
    br_program *taken = *program;
    *program = NULL;
    return br_stage_init(&(br_stage_params){.device = pipeline->device,
                                            .program = taken,
                                            .weights = weights,
                                            .arena = arena,
                                            .shared = shared,
                                            .profile = pipeline->profile},
                         out_stage);
}

/* The buffer between them, and both stages. */
static br_status start_unet(br_pipeline *pipeline, br_pipeline_programs *programs)
{
    br_value_binding made = {.value = BR_NONE}, read = {.value = BR_NONE};
    if (programs->cross) {
        uint64_t bytes = (uint64_t)br_graph_bytes(programs->cross->graph, programs->cross_values.cross);
        BR_TRY(br_vk_buffer_create(pipeline->device, BR_VK_BUFFER_DEVICE, bytes, "cross", &pipeline->cross_buffer));
        made = (br_value_binding){programs->cross_values.cross, {pipeline->cross_buffer, 0}};
        read = (br_value_binding){programs->denoise_values.cross, {pipeline->cross_buffer, 0}};
        BR_TRY(start_stage(pipeline, &programs->cross, pipeline->cross_weights, pipeline->arena, &made, &pipeline->cross));
    }
    return start_stage(pipeline, &programs->denoise, pipeline->unet_weights, pipeline->arena, read.value == BR_NONE ? NULL : &read,
                       &pipeline->denoise);
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static bool same_size(const br_model *model, const br_picture_size *a, const br_picture_size *b)
{
    return a->height == b->height && a->width == b->width && a->batch == b->batch && a->copies == b->copies &&
           a->rescale == b->rescale && a->keep == b->keep && chunks_of(a) == chunks_of(b) && a->vectors == b->vectors &&
           br_pipeline_clip_skip(model, a) == br_pipeline_clip_skip(model, b);
}

br_status br_pipeline_prepare(br_pipeline *pipeline, const br_picture_size *size)
{
    if (same_size(pipeline->model, &pipeline->size, size))
        return NULL;
    drop_stages(pipeline);
    br_status status = NULL;
    br_pipeline_programs programs;
    int span = br_prof_begin(pipeline->profile, "plan");
    BR_TRY(br_pipeline_plan(pipeline->model, br_vk_device_caps(pipeline->device), &pipeline->dtypes, size, &programs));
    br_prof_end(pipeline->profile, span);
    int64_t bytes = larger(programs.denoise->plan.arena_bytes, programs.decode->plan.arena_bytes);
    bytes = programs.cross ? larger(bytes, programs.cross->plan.arena_bytes) : bytes;
    for (int i = 0; i < BR_MODEL_TEXT_MAX; i++)
        bytes = programs.text[i] ? larger(bytes, programs.text[i]->plan.arena_bytes) : bytes;
    BR_TRY_GOTO(br_status_prefix(
        br_vk_buffer_create(pipeline->device, BR_VK_BUFFER_DEVICE, (uint64_t)bytes, "activations", &pipeline->arena),
        "activations for %d pictures of %d×%d latent pixels", size->batch, size->width, size->height));
    for (int i = 0; i < BR_MODEL_TEXT_MAX; i++) {
        if (programs.text[i])
            BR_TRY_GOTO(
                start_stage(pipeline, &programs.text[i], pipeline->text_weights[i], pipeline->arena, NULL, &pipeline->text[i]));
        pipeline->text_values[i] = programs.text_values[i];
    }
    BR_TRY_GOTO(start_unet(pipeline, &programs));
    BR_TRY_GOTO(start_stage(pipeline, &programs.decode, pipeline->decoder_weights, pipeline->arena, NULL, &pipeline->decode));
    pipeline->cross_values = programs.cross_values;
    pipeline->denoise_values = programs.denoise_values;
    pipeline->decode_values = programs.decode_values;
    pipeline->size = *size;
    int factor = br_vae_factor(&pipeline->model->vae);
    br_prof_describe_size(pipeline->profile, size->width * factor, size->height * factor, size->batch);
    return NULL;
fail:
    br_pipeline_programs_finish(&programs);
    drop_stages(pipeline);
    return status;
}

br_status br_pipeline_prepare_encode(br_pipeline *pipeline, int height, int width)
{
    if (pipeline->encode_size.height == height && pipeline->encode_size.width == width)
        return NULL;
    drop_encode(pipeline);
    br_graph_vae vae = br_pipeline_vae(pipeline->model);
    br_graph graph;
    br_program *program = NULL;
    if (!pipeline->encoder_weights && !pipeline->model->weightless) {
        br_graph_init(&graph);
        br_graph_build_encode(&graph, vae, pipeline->dtypes.vae, height, width, &pipeline->encode_values);
        BR_TRY(bind_weights(pipeline, BR_COMPONENT_VAE, &graph, &pipeline->encoder_weights));
    }
    br_graph_init(&graph);
    br_graph_build_encode(&graph, vae, pipeline->dtypes.vae, height, width, &pipeline->encode_values);
    BR_TRY(br_program_create(&graph, "VAE encoder", br_vk_device_caps(pipeline->device), &program));
    br_status status = br_vk_buffer_create(pipeline->device, BR_VK_BUFFER_DEVICE, (uint64_t)program->plan.arena_bytes,
                                           "encoder activations", &pipeline->encode_arena);
    if (status) {
        br_program_destroy(program);
        return status;
    }
    status = start_stage(pipeline, &program, pipeline->encoder_weights, pipeline->encode_arena, NULL, &pipeline->encode);
    if (status)
        drop_encode(pipeline);
    else
        pipeline->encode_size = (br_picture_size){.height = height, .width = width, .batch = 1, .copies = 1};
    return status;
}

/* ---- running ---- */

br_status br_pipeline_decode(br_pipeline *pipeline, const float *latents, float *out_picture)
{
    const br_vae_config *vae = &pipeline->model->vae;
    int64_t pixels = (int64_t)pipeline->size.height * pipeline->size.width, factor = br_vae_factor(vae);
    int64_t count = pixels * vae->latent_channels;
    float *nhwc = malloc((size_t)count * sizeof *nhwc);
    if (!nhwc)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory for %lld latents", (long long)count);
    br_layout_to_channels_last(latents, vae->latent_channels, pixels, nhwc);
    br_status status = br_stage_write_floats(&pipeline->decode, pipeline->decode_values.latents, nhwc, count);
    free(nhwc);
    BR_TRY(status);
    BR_TRY(br_stage_run(&pipeline->decode));
    return br_stage_read_floats(&pipeline->decode, pipeline->decode_values.picture, out_picture,
                                pixels * factor * factor * vae->out_channels);
}

br_status br_pipeline_encode(br_pipeline *pipeline, const float *picture, float *out_moments)
{
    const br_vae_config *vae = &pipeline->model->vae;
    int64_t height = pipeline->encode_size.height, width = pipeline->encode_size.width, factor = br_vae_factor(vae);
    BR_TRY(br_stage_write_floats(&pipeline->encode, pipeline->encode_values.picture, picture, height * width * vae->in_channels));
    BR_TRY(br_stage_run(&pipeline->encode));
    int64_t count = (height / factor) * (width / factor) * vae->latent_channels;
    if (!pipeline->model->tiny_vae)
        return br_stage_read_floats(&pipeline->encode, pipeline->encode_values.moments, out_moments, 2 * count);
    for (int64_t i = 0; i < count; i++)
        out_moments[count + i] = -INFINITY;
    return br_stage_read_floats(&pipeline->encode, pipeline->encode_values.moments, out_moments, count);
}

void br_pipeline_latents(const br_pipeline *pipeline, const float *moments, const float *noise, float *out_latents)
{
    const br_vae_config *vae = &pipeline->model->vae;
    int64_t factor = br_vae_factor(vae);
    int64_t count = (pipeline->encode_size.height / factor) * (pipeline->encode_size.width / factor) * vae->latent_channels;
    for (int64_t i = 0; i < count; i++) {
        float log_variance = fminf(fmaxf(moments[count + i], LOG_VARIANCE_MIN), LOG_VARIANCE_MAX);
        float drawn = moments[i] + (noise ? expf(0.5f * log_variance) * noise[i] : 0);
        out_latents[i] = (drawn - vae->shift_factor) * vae->scaling_factor;
    }
}
