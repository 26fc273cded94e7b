#include "pipeline/pipeline.h"

#include <stdlib.h>

#include "pipeline/budget.h"
#include "pipeline/draw.h"

/* Any size will do to list a model's weights. */
#define WEIGHTS_ONLY_SIZE 8
/* Latent pixels along the side of a tile, at the least: the norms of smaller ones know too little of the picture. */
#define TILE_MIN 8
/* Part of the device's memory that may be held where the decoder gets activations of its own: the rest is the desktop's and of others. */
#define OVERLAP_MEMORY 0.75
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
    /* As in diffusers only SDXL's pipelines heed it; configurations of other families say it because it is the class's default. */
    bool wide = model->vae.force_upcast && model->pooled && precision != BR_PRECISION_F16;
    uint64_t range = caps->max_storage_range;
    *out_dtypes = (br_pipeline_dtypes){
        .f16 = f16,
        .text = {{BR_F32, matrices[BR_COMPONENT_TEXT], model->parts[BR_COMPONENT_TEXT].weights, range},
                 {BR_F32, matrices[BR_COMPONENT_TEXT_2], model->parts[BR_COMPONENT_TEXT_2].weights, range}},
        .unet = {activations, matrices[BR_COMPONENT_UNET], model->parts[BR_COMPONENT_UNET].weights, range},
        .vae = {wide ? BR_F32 : activations, matrices[BR_COMPONENT_VAE], model->parts[BR_COMPONENT_VAE].weights, range},
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
    br_tiles tiles = br_tiles_make(it->size->height, it->size->width, it->size->decode_tile);
    br_graph graph;
    br_graph_init(&graph);
    br_graph_build_decode(&graph, br_pipeline_vae(it->model), it->dtypes->vae, tiles.tile_height, tiles.tile_width, out_values);
    return br_program_create(&graph, "VAE decoder", it->caps, out_program);
}

static br_status plan_encode(const planning *it, const br_tiles *tiles, br_pipeline_programs *programs)
{
    int factor = br_vae_factor(&it->model->vae);
    br_graph graph;
    br_graph_init(&graph);
    br_graph_build_encode(&graph, br_pipeline_vae(it->model), it->dtypes->vae, tiles->tile_height * factor,
                          tiles->tile_width * factor, &programs->encode_values);
    return br_program_create(&graph, "VAE encoder", it->caps, &programs->encode);
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
    br_denoise_params step = denoise_params(model, dtypes, size);
    if (br_graph_has_cross(&step))
        BR_TRY_GOTO(plan_cross(&it, &programs.cross_values, &programs.cross));
    BR_TRY_GOTO(plan_denoise(&it, &programs.denoise_values, &programs.denoise));
    BR_TRY_GOTO(plan_decode(&it, &programs.decode_values, &programs.decode));
    if (size->encodes) {
        br_tiles tiles = br_tiles_make(size->height, size->width, size->encode_tile);
        BR_TRY_GOTO(plan_encode(&it, &tiles, &programs));
    }
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
    br_program_destroy(programs->encode);
    *programs = (br_pipeline_programs){0};
}

/* ---- weights ---- */

/* Consumes `graph`, which was built only to know which weights there are. Without a place for them they are only checked. */
static br_status bind_weights(br_pipeline *pipeline, br_component component, br_graph *graph, br_bound_weights **out_weights)
{
    const br_model_part *part = &pipeline->model->parts[component];
    br_status status = br_graph_verify(graph);
    if (!status && out_weights)
        status = br_bound_weights_create(
            &(br_bind_params){.device = pipeline->device, .graph = graph, .weights = part->weights, .name = part->name},
            out_weights);
    else if (!status)
        status = br_bound_weights_check(graph, part->weights, part->name);
    br_graph_finish(graph);
    return status;
}

static br_status upload_weights(br_pipeline *pipeline, bool check_only)
{
    const br_model *model = pipeline->model;
    if (model->weightless || pipeline->bare) /* the stages get buffers of their own */
        return NULL;
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
        BR_TRY(bind_weights(pipeline, (br_component)i, &graph, check_only ? NULL : &pipeline->text_weights[i]));
    }

    br_denoise_params params = denoise_params(model, &pipeline->dtypes, &size);
    br_denoise_graph denoise;
    br_cross_graph cross;
    br_graph_init(&graph);
    if (br_graph_has_cross(&params))
        br_graph_build_cross(&graph, &params, &cross);
    br_graph_build_denoise(&graph, &params, &denoise);
    BR_TRY(bind_weights(pipeline, BR_COMPONENT_UNET, &graph, check_only ? NULL : &pipeline->unet_weights));

    br_decode_graph decode;
    br_graph_init(&graph);
    br_graph_build_decode(&graph, br_pipeline_vae(model), pipeline->dtypes.vae, WEIGHTS_ONLY_SIZE, WEIGHTS_ONLY_SIZE, &decode);
    return bind_weights(pipeline, BR_COMPONENT_VAE, &graph, check_only ? NULL : &pipeline->decoder_weights);
}

static void drop_weights(br_pipeline *pipeline)
{
    br_bound_weights **all[] = {&pipeline->text_weights[0], &pipeline->text_weights[1], &pipeline->unet_weights,
                                &pipeline->decoder_weights, &pipeline->encoder_weights};
    for (int i = 0; i < (int)(sizeof all / sizeof *all); i++) {
        br_bound_weights_destroy(*all[i]);
        *all[i] = NULL;
    }
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

br_status br_pipeline_open_within(const br_pipeline_open_params *params, br_pipeline **out_pipeline)
{
    *out_pipeline = NULL;
    br_status status = NULL;
    const br_model *model = params->model;
    int factor = br_vae_factor(&model->vae);
    if (params->vae_tile < 0 || params->vae_tile % factor || (params->vae_tile && params->vae_tile < TILE_MIN * factor))
        return br_fail(BR_ERROR_ARGUMENT, "tiles of the VAE are %d pixels wide, expected a multiple of %d, %d or more",
                       params->vae_tile, factor, TILE_MIN * factor);
    br_pipeline *pipeline = calloc(1, sizeof *pipeline);
    if (!pipeline)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory while loading %s", model->path);
    pipeline->device = params->device;
    pipeline->model = model;
    pipeline->bare = params->bare;
    pipeline->budget = params->memory_budget;
    pipeline->vae_tile = params->vae_tile / factor;
    if (pipeline->budget)
        BR_TRY_GOTO(br_vk_device_spare(params->device));
    BR_TRY_GOTO(br_pipeline_choose_dtypes(model, br_vk_device_caps(params->device), params->precision, &pipeline->dtypes));
    BR_TRY_GOTO(upload_weights(pipeline, pipeline->budget > 0));
    *out_pipeline = pipeline;
    return NULL;
fail:
    br_pipeline_close(pipeline);
    return status;
}

br_status br_pipeline_open(br_vk_device *device, const br_model *model, br_precision precision, br_pipeline **out_pipeline)
{
    return br_pipeline_open_within(&(br_pipeline_open_params){.device = device, .model = model, .precision = precision},
                                   out_pipeline);
}

/* ---- stages ---- */

static void drop_encode(br_pipeline *pipeline)
{
    br_stage_finish(&pipeline->encode);
    br_vk_buffer_destroy(pipeline->encode_arena);
    pipeline->encode_arena = NULL;
    pipeline->encode_size = (br_picture_size){0};
}

static void drop_stages(br_pipeline *pipeline)
{
    for (int i = 0; i < BR_MODEL_TEXT_MAX; i++)
        br_stage_finish(&pipeline->text[i]);
    br_stage_finish(&pipeline->cross);
    br_stage_finish(&pipeline->denoise);
    br_stage_finish(&pipeline->decode);
    br_vk_buffer_destroy(pipeline->cross_buffer);
    br_vk_buffer_destroy(pipeline->arena);
    br_vk_buffer_destroy(pipeline->wide_arena);
    br_vk_buffer_destroy(pipeline->decode_arena);
    pipeline->arena = pipeline->cross_buffer = pipeline->wide_arena = pipeline->decode_arena = NULL;
    pipeline->decodes_beside = false;
    if (pipeline->pool) { /* which the encoder is in too */
        drop_encode(pipeline);
        br_pool_destroy(pipeline->pool);
        pipeline->pool = NULL;
    }
    pipeline->size = (br_picture_size){0};
}

void br_pipeline_close(br_pipeline *pipeline)
{
    if (!pipeline)
        return;
    br_drawing_destroy(pipeline->pending);
    drop_stages(pipeline);
    drop_encode(pipeline);
    drop_weights(pipeline);
    free(pipeline);
}

/* What a stage is made of: without a pool its weights and its arena are the first two, which are borrowed. */
typedef struct stage_parts {
    br_bound_weights *weights;
    br_vk_buffer *arena;
    br_component component;
    bool repeats, beside;
    const br_value_binding *shared; /* these three as in br_stage_params */
} stage_parts;

/* Takes *program over. */
static br_status start_stage(br_pipeline *pipeline, br_program **program, const stage_parts *parts, br_stage *out_stage)
{
    br_program *taken = *program;
    *program = NULL;
    const br_model_part *part = &pipeline->model->parts[parts->component];
    br_stage_pool pool = {.pool = pipeline->pool,
                          .weights = pipeline->model->weightless || pipeline->bare ? NULL : part->weights,
                          .name = part->name,
                          .repeats = parts->repeats};
    return br_stage_init(&(br_stage_params){.device = pipeline->device,
                                            .program = taken,
                                            .weights = parts->weights,
                                            .arena = parts->arena,
                                            .pool = pipeline->pool ? &pool : NULL,
                                            .shared = parts->shared,
                                            .profile = pipeline->profile,
                                            .beside = parts->beside},
                         out_stage);
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

bool br_pipeline_is_prepared(const br_pipeline *pipeline, const br_picture_size *size)
{
    const br_model *model = pipeline->model;
    const br_picture_size *a = &pipeline->size, *b = size;
    bool counted = a->encodes || !b->encodes || !pipeline->budget;
    return a->height == b->height && a->width == b->width && a->batch == b->batch && a->copies == b->copies &&
           a->rescale == b->rescale && a->keep == b->keep && chunks_of(a) == chunks_of(b) && a->vectors == b->vectors &&
           br_pipeline_clip_skip(model, a) == br_pipeline_clip_skip(model, b) && counted;
}

/* The pool, or the weights and the arena. */
static br_status make_room(br_pipeline *pipeline, const br_budget *budget, const br_pipeline_programs *programs)
{
    if (!budget->whole) {
        drop_weights(pipeline);
        return br_status_prefix(br_pool_create(pipeline->device, budget->pool_bytes, &pipeline->pool), "memory budget of %.1f MiB",
                                (double)pipeline->budget / (1 << 20));
    }
    int64_t bytes = larger(programs->denoise->plan.arena_bytes, programs->decode->plan.arena_bytes);
    bytes = programs->cross ? larger(bytes, programs->cross->plan.arena_bytes) : bytes;
    for (int i = 0; i < BR_MODEL_TEXT_MAX; i++)
        bytes = programs->text[i] ? larger(bytes, programs->text[i]->plan.arena_bytes) : bytes;
    if (!pipeline->unet_weights)
        BR_TRY(upload_weights(pipeline, false));
    bytes = bytes ? bytes : BR_VK_BUFFER_ALIGNMENT;
    return br_vk_buffer_create(pipeline->device, BR_VK_BUFFER_DEVICE, (uint64_t)bytes, "activations", &pipeline->arena);
}

/* What the prompt gives, the steps, and the buffer between them. */
static br_status start_unet(br_pipeline *pipeline, br_pipeline_programs *programs)
{
    stage_parts parts = {pipeline->unet_weights, pipeline->arena, BR_COMPONENT_UNET, .repeats = false};
    br_value_binding made, read;
    pipeline->cross_values = programs->cross_values;
    pipeline->denoise_values = programs->denoise_values;
    if (programs->cross) {
        uint64_t bytes = (uint64_t)br_graph_bytes(programs->cross->graph, programs->cross_values.cross);
        BR_TRY(br_vk_buffer_create(pipeline->device, BR_VK_BUFFER_DEVICE, bytes, "cross", &pipeline->cross_buffer));
        made = (br_value_binding){programs->cross_values.cross, {pipeline->cross_buffer, 0}};
        read = (br_value_binding){programs->denoise_values.cross, {pipeline->cross_buffer, 0}};
        parts.shared = &made;
        BR_TRY(start_stage(pipeline, &programs->cross, &parts, &pipeline->cross));
        parts.shared = &read;
    }
    parts.repeats = true;
    return start_stage(pipeline, &programs->denoise, &parts, &pipeline->denoise);
}

/* Activations for a decoder that works beside the loop: where there is a queue for it, and memory; that it is not to be had is no error. Tiles are put together
 * one by one, and profiles time one thing after the other. */
static void make_decode_arena(br_pipeline *pipeline, const br_budget *budget, int64_t bytes)
{
    const br_vk_caps *caps = br_vk_device_caps(pipeline->device);
    br_tiles tiles = br_pipeline_decode_tiles(pipeline);
    if (!pipeline->overlaps || !caps->side_queue || pipeline->profile || pipeline->pool || tiles.rows * tiles.columns > 1)
        return;
    uint64_t limit = pipeline->budget ? pipeline->budget : (uint64_t)((double)caps->device_local_bytes * OVERLAP_MEMORY);
    uint64_t held = pipeline->budget ? budget->whole_bytes : br_vk_device_counters(pipeline->device)->memory_bytes;
    if (held + (uint64_t)bytes + BR_VK_BUFFER_ALIGNMENT > limit)
        return;
    br_status status =
        br_vk_buffer_create(pipeline->device, BR_VK_BUFFER_DEVICE, (uint64_t)bytes, "decoder activations", &pipeline->decode_arena);
    pipeline->decodes_beside = !status;
    br_status_free(status);
}

static br_status start_stages(br_pipeline *pipeline, br_pipeline_programs *programs)
{
    stage_parts parts = {.arena = pipeline->arena};
    for (int i = 0; i < BR_MODEL_TEXT_MAX; i++) {
        parts.component = (br_component)i;
        parts.weights = pipeline->text_weights[i];
        if (programs->text[i])
            BR_TRY(start_stage(pipeline, &programs->text[i], &parts, &pipeline->text[i]));
        pipeline->text_values[i] = programs->text_values[i];
    }
    BR_TRY(start_unet(pipeline, programs));
    parts.component = BR_COMPONENT_VAE;
    parts.weights = pipeline->decoder_weights;
    parts.beside = pipeline->decodes_beside;
    if (parts.beside)
        parts.arena = pipeline->decode_arena;
    pipeline->decode_values = programs->decode_values;
    return start_stage(pipeline, &programs->decode, &parts, &pipeline->decode);
}

void br_pipeline_overlap(br_pipeline *pipeline)
{
    if (!pipeline->overlaps && !pipeline->pool && br_vk_device_caps(pipeline->device)->side_queue)
        pipeline->size = (br_picture_size){0}; /* the decoder is recorded anew */
    pipeline->overlaps = true;
}

br_status br_pipeline_prepare(br_pipeline *pipeline, const br_picture_size *size)
{
    if (br_pipeline_is_prepared(pipeline, size))
        return NULL;
    drop_stages(pipeline);
    br_status status = NULL;
    br_pipeline_programs programs;
    br_budget budget;
    br_picture_size planned = *size;
    planned.encodes = size->encodes && pipeline->budget;
    planned.decode_tile = planned.encode_tile = pipeline->vae_tile;
    int span = br_prof_begin(pipeline->profile, "plan");
    BR_TRY(br_budget_plan(&(br_budget_params){.model = pipeline->model,
                                              .caps = br_vk_device_caps(pipeline->device),
                                              .dtypes = &pipeline->dtypes,
                                              .bytes = pipeline->budget},
                          &planned, &budget, &programs));
    br_prof_end(pipeline->profile, span);
    BR_TRY_GOTO(br_status_prefix(make_room(pipeline, &budget, &programs), "activations for %d pictures of %d×%d latent pixels",
                                 size->batch, size->width, size->height));
    pipeline->size = planned;
    make_decode_arena(pipeline, &budget, programs.decode->plan.arena_bytes);
    BR_TRY_GOTO(start_stages(pipeline, &programs));
    br_pipeline_programs_finish(&programs);
    int factor = br_vae_factor(&pipeline->model->vae);
    br_prof_describe_size(pipeline->profile, size->width * factor, size->height * factor, size->batch);
    return NULL;
fail:
    br_pipeline_programs_finish(&programs);
    drop_stages(pipeline);
    return status;
}

static br_status upload_encoder(br_pipeline *pipeline)
{
    br_graph graph;
    br_encode_graph values;
    if (pipeline->encoder_weights || pipeline->model->weightless || pipeline->bare || pipeline->pool)
        return NULL;
    int side = WEIGHTS_ONLY_SIZE * br_vae_factor(&pipeline->model->vae);
    br_graph_init(&graph);
    br_graph_build_encode(&graph, br_pipeline_vae(pipeline->model), pipeline->dtypes.vae, side, side, &values);
    return bind_weights(pipeline, BR_COMPONENT_VAE, &graph, &pipeline->encoder_weights);
}

/* The encoder's program, in tiles so small that its activations take no more than `room` bytes, or that it fits into the pool. */
static br_status plan_encoder(br_pipeline *pipeline, uint64_t room, br_pipeline_programs *programs)
{
    const br_vk_caps *caps = br_vk_device_caps(pipeline->device);
    const planning it = {pipeline->model, caps, &pipeline->dtypes, &pipeline->size};
    bool fits = true;
    do {
        br_pipeline_programs_finish(programs);
        br_tiles tiles = br_pipeline_encode_tiles(pipeline);
        BR_TRY(plan_encode(&it, &tiles, programs));
        if (pipeline->pool)
            BR_TRY(br_budget_fits(caps, programs->encode, br_pool_bytes(pipeline->pool), &fits));
        else
            fits = (uint64_t)programs->encode->plan.arena_bytes <= room;
    } while (!fits && br_budget_shrink_encoder(&pipeline->size));
    return NULL;
}

static br_status prepare_encode(br_pipeline *pipeline, int height, int width, uint64_t room)
{
    br_status status = NULL;
    br_pipeline_programs programs = {0};
    drop_encode(pipeline);
    pipeline->encode_size = (br_picture_size){.height = height, .width = width, .batch = 1, .copies = 1};
    BR_TRY_GOTO(upload_encoder(pipeline));
    BR_TRY_GOTO(plan_encoder(pipeline, room, &programs));
    if (!pipeline->pool)
        BR_TRY_GOTO(br_vk_buffer_create(pipeline->device, BR_VK_BUFFER_DEVICE, (uint64_t)programs.encode->plan.arena_bytes,
                                        "encoder activations", &pipeline->encode_arena));
    stage_parts parts = {.weights = pipeline->encoder_weights, .arena = pipeline->encode_arena, .component = BR_COMPONENT_VAE};
    BR_TRY_GOTO(start_stage(pipeline, &programs.encode, &parts, &pipeline->encode));
    pipeline->encode_values = programs.encode_values;
    return NULL;
fail:
    br_pipeline_programs_finish(&programs);
    drop_encode(pipeline);
    return status;
}

br_status br_pipeline_prepare_encode(br_pipeline *pipeline, int height, int width)
{
    int factor = br_vae_factor(&pipeline->model->vae);
    br_picture_size size = {.height = height / factor, .width = width / factor, .batch = 1, .copies = 2, .encodes = true};
    bool counted = pipeline->size.encodes && pipeline->size.height == size.height && pipeline->size.width == size.width;
    if (pipeline->budget && !counted) /* an encoder alone: the rest has to fit beside it later */
        BR_TRY(br_pipeline_prepare(pipeline, &size));
    if (pipeline->encode_size.height == height && pipeline->encode_size.width == width)
        return NULL;
    return prepare_encode(pipeline, height, width, UINT64_MAX);
}

/* ---- a VAE whose activations overflow ---- */

static br_status plan_decoder(const br_pipeline *pipeline, const br_picture_size *size, br_pipeline_programs *programs)
{
    br_tiles tiles = br_tiles_make(size->height, size->width, size->decode_tile);
    br_graph graph;
    br_graph_init(&graph);
    br_graph_build_decode(&graph, br_pipeline_vae(pipeline->model), pipeline->dtypes.vae, tiles.tile_height, tiles.tile_width,
                          &programs->decode_values);
    return br_program_create(&graph, "VAE decoder", br_vk_device_caps(pipeline->device), &programs->decode);
}

/* The decoder anew, the other stages left as they are: beside them without a budget, else in the memory that there was for the old one, in tiles if need be. */
static br_status rebuild_decoder(br_pipeline *pipeline)
{
    br_pipeline_programs programs = {0};
    br_picture_size size = pipeline->size;
    const br_vk_caps *caps = br_vk_device_caps(pipeline->device);
    uint64_t room = pipeline->pool ? br_pool_bytes(pipeline->pool) : br_vk_buffer_size(pipeline->arena);
    br_status status = NULL;
    bool fits = true;
    br_stage_finish(&pipeline->decode);
    br_vk_buffer_destroy(pipeline->decode_arena); /* too small; from here on it decodes between the loops */
    pipeline->decode_arena = NULL;
    pipeline->decodes_beside = false;
    do {
        br_pipeline_programs_finish(&programs);
        BR_TRY(plan_decoder(pipeline, &size, &programs));
        if (pipeline->pool)
            BR_TRY_GOTO(br_budget_fits(caps, programs.decode, room, &fits));
        else
            fits = !pipeline->budget || (uint64_t)programs.decode->plan.arena_bytes <= room;
    } while (!fits && br_budget_shrink(&size));
    if (!pipeline->pool && (uint64_t)programs.decode->plan.arena_bytes > room)
        BR_TRY_GOTO(br_vk_buffer_create(pipeline->device, BR_VK_BUFFER_DEVICE, (uint64_t)programs.decode->plan.arena_bytes,
                                        "activations of the VAE", &pipeline->wide_arena));
    stage_parts parts = {.weights = pipeline->decoder_weights,
                         .arena = pipeline->wide_arena ? pipeline->wide_arena : pipeline->arena,
                         .component = BR_COMPONENT_VAE};
    BR_TRY_GOTO(start_stage(pipeline, &programs.decode, &parts, &pipeline->decode));
    pipeline->decode_values = programs.decode_values;
    pipeline->size.decode_tile = size.decode_tile;
    return NULL;
fail:
    br_pipeline_programs_finish(&programs);
    return status;
}

br_status br_pipeline_widen_vae(br_pipeline *pipeline)
{
    br_log_printf(&pipeline->model->log, BR_LOG_INFO,
                  "the activations of the VAE of %s overflow 16-bit floats: from here on it computes with 32 bits",
                  pipeline->model->path);
    pipeline->dtypes.vae.activations = BR_F32;
    int height = pipeline->encode_size.height, width = pipeline->encode_size.width;
    uint64_t room = pipeline->budget && pipeline->encode_arena ? br_vk_buffer_size(pipeline->encode_arena) : UINT64_MAX;
    if (pipeline->size.batch)
        BR_TRY(rebuild_decoder(pipeline));
    return height ? prepare_encode(pipeline, height, width, room) : NULL;
}
