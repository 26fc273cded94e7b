#include "pipeline/conditioning.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/prompts.h"

typedef struct conditioning {
    br_pipeline *pipeline;
    const br_request *request;
    const br_dump *dump;
    br_prompts prompts;
    int64_t tokens; /* n · T: of a prompt's context */
    int64_t width;  /* of the context: all encoders' hidden sizes */
    float *context; /* owned, [2, n · T, width]; the negative prompt first, here as below */
    float *pooled;  /* owned, [2, P] */
} conditioning;

/* What one encoder makes of both prompts. */
typedef struct encoding {
    br_component component;
    const br_clip_text_config *config;
    int64_t length;    /* T */
    int rows, batch;   /* 2 · n chunks in all, and at once */
    int32_t *ids;      /* owned, [rows, T] */
    float *states;     /* owned, [rows, T, D] */
    float *pooled;     /* owned, [rows, P]; only of the encoder that is pooled */
    int32_t *pool_at;  /* owned, [batch] */
    float *batch_room; /* owned; what the stage returns at once */
} encoding;

void br_conditioning_weigh(float *states, const float *weights, int64_t tokens, int64_t width)
{
    double before = 0, after = 0;
    bool weighted = false;
    for (int64_t t = 0; t < tokens; t++) {
        double sum = 0;
        for (int64_t i = 0; i < width; i++)
            sum += states[t * width + i];
        before += sum;
        after += sum * weights[t];
        weighted = weighted || weights[t] != 1;
    }
    double factor = before / after;
    if (!weighted)
        return;
    if (!isfinite(factor))
        factor = 1;
    for (int64_t t = 0; t < tokens; t++)
        for (int64_t i = 0; i < width; i++)
            states[t * width + i] = (float)(states[t * width + i] * weights[t] * factor);
}

/* ---- one encoder ---- */

static br_status run_batch(const conditioning *it, encoding *e, int first)
{
    br_stage *stage = &it->pipeline->text[e->component];
    const br_text_graph *values = &it->pipeline->text_values[e->component];
    int count = e->rows - first < e->batch ? e->rows - first : e->batch;
    int64_t row = e->length * e->config->hidden_size, pooled = it->pipeline->model->pooled;
    int32_t *ids = (int32_t *)e->batch_room;
    for (int i = 0; i < e->batch; i++) {
        const int32_t *from = e->ids + (first + (i < count ? i : 0)) * e->length; /* rows of no use repeat one of use */
        memcpy(ids + i * e->length, from, (size_t)e->length * sizeof *ids);
        e->pool_at[i] = (int32_t)(i * e->length + br_clip_text_pool_position(e->config, from, (int)e->length));
    }
    BR_TRY(br_stage_write(stage, values->tokens, ids, (uint64_t)(e->batch * e->length) * sizeof *ids));
    if (values->pool_rows != BR_NONE)
        BR_TRY(br_stage_write(stage, values->pool_rows, e->pool_at, (uint64_t)e->batch * sizeof *e->pool_at));
    BR_TRY(br_stage_run(stage));
    BR_TRY(br_stage_read_floats(stage, values->states, e->batch_room, e->batch * row));
    memcpy(e->states + first * row, e->batch_room, (size_t)(count * row) * sizeof *e->states);
    if (values->pooled != BR_NONE) {
        BR_TRY(br_stage_read_floats(stage, values->pooled, e->batch_room, e->batch * pooled));
        memcpy(e->pooled + first * pooled, e->batch_room, (size_t)(count * pooled) * sizeof *e->pooled);
    }
    return NULL;
}

static void finish_encoding(encoding *e)
{
    free(e->ids);
    free(e->states);
    free(e->pooled);
    free(e->pool_at);
    free(e->batch_room);
}

static br_status start_encoding(const conditioning *it, br_component component, encoding *e)
{
    const br_clip_text_config *config = &it->pipeline->model->text[component].config;
    *e = (encoding){.component = component,
                    .config = config,
                    .length = config->max_position_embeddings,
                    .rows = BR_PROMPT_COUNT * it->prompts.count,
                    .batch = br_pipeline_text_batch(&it->request->size)};
    size_t pooled = (size_t)it->pipeline->model->pooled, row = (size_t)(e->length * config->hidden_size);
    size_t room = (row > pooled ? row : pooled) * (size_t)e->batch;
    e->ids = malloc((size_t)(e->rows * e->length) * sizeof *e->ids);
    e->states = malloc((size_t)e->rows * row * sizeof *e->states);
    e->pooled = malloc(((size_t)e->rows * pooled + 1) * sizeof *e->pooled);
    e->pool_at = malloc((size_t)e->batch * sizeof *e->pool_at);
    e->batch_room = malloc(room * sizeof *e->batch_room);
    if (!e->ids || !e->states || !e->pooled || !e->pool_at || !e->batch_room)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory for the text states");
    for (int kind = 0; kind < BR_PROMPT_COUNT; kind++)
        memcpy(e->ids + (ptrdiff_t)kind * it->prompts.count * e->length, it->prompts.chunks[component][kind].ids,
               (size_t)(it->prompts.count * e->length) * sizeof *e->ids);
    return NULL;
}

/* The states of the negative prompt, and what is pooled of it, are zeros where there is none: diffusers' force_zeros_for_empty_prompt. */
static void zero_negative(const conditioning *it, encoding *e)
{
    memset(e->states, 0, (size_t)(it->tokens * e->config->hidden_size) * sizeof *e->states);
    memset(e->pooled, 0, (size_t)it->pipeline->model->pooled * sizeof *e->pooled);
}

/* Side by side with the other encoder's: this one begins at column `offset`. */
static void place_states(const conditioning *it, const encoding *e, int64_t offset)
{
    size_t size = (size_t)e->config->hidden_size * sizeof *e->states;
    for (int64_t t = 0; t < BR_PROMPT_COUNT * it->tokens; t++)
        memcpy(it->context + t * it->width + offset, e->states + t * e->config->hidden_size, size);
}

static br_status write_vectors(const conditioning *it, const encoding *e)
{
    const br_embeddings *embeddings = &it->pipeline->model->embeddings;
    br_value extra = it->pipeline->text_values[e->component].extra;
    size_t width = (size_t)e->config->hidden_size;
    if (extra == BR_NONE)
        return NULL;
    float *all = malloc((size_t)embeddings->vectors * width * sizeof *all);
    if (!all)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory for %d embeddings", embeddings->count);
    for (int i = 0; i < embeddings->count; i++) {
        const br_embedding *embedding = &embeddings->items[i];
        memcpy(all + (size_t)embedding->first * width, embedding->vectors[e->component],
               (size_t)embedding->count * width * sizeof *all);
    }
    br_status status =
        br_stage_write_floats(&it->pipeline->text[e->component], extra, all, (int64_t)embeddings->vectors * (int64_t)width);
    free(all);
    return status;
}

static br_status encode(conditioning *it, encoding *e)
{
    int64_t width = e->config->hidden_size, pooled = it->pipeline->model->pooled;
    bool is_pooled = it->pipeline->text_values[e->component].pooled != BR_NONE;
    BR_TRY(write_vectors(it, e));
    for (int first = 0; first < e->rows; first += e->batch)
        BR_TRY(run_batch(it, e, first));
    for (int kind = 0; kind < BR_PROMPT_COUNT; kind++)
        for (int n = 0; n < it->prompts.count; n++)
            br_conditioning_weigh(e->states + (kind * it->prompts.count + n) * e->length * width,
                                  it->prompts.chunks[e->component][kind].weights + n * e->length, e->length, width);
    if (it->request->zero_negative)
        zero_negative(it, e);
    for (int kind = 0; kind < BR_PROMPT_COUNT && is_pooled; kind++) /* a prompt's first chunk stands for all of it */
        memcpy(it->pooled + kind * pooled, e->pooled + kind * it->prompts.count * pooled, (size_t)pooled * sizeof *it->pooled);
    return br_dump_tokens(it->dump, e->component, e->ids);
}

/* ---- what the network takes ---- */

/* Values [copies · B, count], the same for every picture: `two` holds the negative prompt's, then the prompt's. Only the last of the copies has the prompt. */
static br_status write_copies(const conditioning *it, br_stage *stage, br_value value, const float *two, int64_t count)
{
    const br_picture_size *size = &it->request->size;
    int rows = size->copies * size->batch;
    float *all = malloc((size_t)(rows * count) * sizeof *all);
    if (!all)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory for the text states");
    for (int i = 0; i < rows; i++)
        memcpy(all + i * count, two + (i >= rows - size->batch ? count : 0), (size_t)count * sizeof *all);
    br_status status = br_stage_write_floats(stage, value, all, rows * count);
    free(all);
    return status;
}

/* Heights before widths, as SDXL was trained (diffusers' _get_add_time_ids). The refiner takes a score instead of the target. */
static br_status write_time_ids(const conditioning *it)
{
    const br_size_conditions *sizes = &it->request->sizes;
    float ids[BR_PROMPT_COUNT][6];
    int count = it->pipeline->model->time_ids;
    for (int kind = 0; kind < BR_PROMPT_COUNT; kind++) {
        float values[6] = {(float)sizes->original_height, (float)sizes->original_width, (float)sizes->crop_y,
                           (float)sizes->crop_x,          (float)sizes->target_height,  (float)sizes->target_width};
        if (count == 5)
            values[4] = (float)(kind == BR_PROMPT_POSITIVE ? sizes->aesthetic_score : sizes->negative_aesthetic_score);
        memcpy((float *)ids + kind * count, values, (size_t)count * sizeof *values);
    }
    return write_copies(it, &it->pipeline->denoise, it->pipeline->denoise_values.time_ids, (const float *)ids, count);
}

static br_status encode_all(conditioning *it)
{
    const br_model *model = it->pipeline->model;
    int64_t offset = 0;
    for (int i = 0; i < BR_MODEL_TEXT_MAX; i++) {
        if (!br_model_has(model, (br_component)i))
            continue;
        encoding e;
        br_status status = start_encoding(it, (br_component)i, &e);
        if (!status)
            status = encode(it, &e);
        if (!status)
            place_states(it, &e, offset);
        finish_encoding(&e);
        BR_TRY(status);
        offset += model->text[i].config.hidden_size;
    }
    return NULL;
}

br_status br_conditioning_write(br_pipeline *pipeline, const br_request *request, const br_dump *dump)
{
    const br_model *model = pipeline->model;
    const br_denoise_graph *values = &pipeline->denoise_values;
    br_status status = NULL;
    conditioning it = {.pipeline = pipeline, .request = request, .dump = dump, .width = model->unet.cross_attention_dim};
    int span = br_prof_begin(pipeline->profile, "tokenise");
    BR_TRY_GOTO(br_prompts_init(
        &(br_prompts_params){.model = model, .text = {request->negative_prompt, request->prompt}, .literal = request->literal},
        &it.prompts));
    br_prof_end(pipeline->profile, span);
    it.tokens = (int64_t)it.prompts.count * br_pipeline_context_length(model);
    it.context = malloc((size_t)(BR_PROMPT_COUNT * it.tokens * it.width) * sizeof *it.context);
    it.pooled = malloc((BR_PROMPT_COUNT * (size_t)model->pooled + 1) * sizeof *it.pooled);
    if (!it.context || !it.pooled)
        BR_FAIL_GOTO(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory for the text states");
    BR_TRY_GOTO(encode_all(&it));
    BR_TRY_GOTO(br_dump_text(dump, it.context, it.pooled));
    if (values->context != BR_NONE)
        BR_TRY_GOTO(write_copies(&it, &pipeline->denoise, values->context, it.context, it.tokens * it.width));
    if (values->cross != BR_NONE) {
        BR_TRY_GOTO(write_copies(&it, &pipeline->cross, pipeline->cross_values.context, it.context, it.tokens * it.width));
        BR_TRY_GOTO(br_stage_run(&pipeline->cross));
    }
    if (values->text_embeds != BR_NONE) {
        BR_TRY_GOTO(write_copies(&it, &pipeline->denoise, values->text_embeds, it.pooled, model->pooled));
        BR_TRY_GOTO(write_time_ids(&it));
    }
fail:
    br_prompts_finish(&it.prompts);
    free(it.context);
    free(it.pooled);
    return status;
}
