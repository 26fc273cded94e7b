#include "pipeline/conditioning.h"

#include <stdlib.h>
#include <string.h>

typedef struct conditioning {
    br_pipeline *pipeline;
    const br_request *request;
    int32_t *ids;  /* owned, [2, T]; the unconditional prompt first, here as below */
    float *states; /* owned, [2, T, D] */
} conditioning;

static br_status encode_prompts(conditioning *it)
{
    const br_model *model = it->pipeline->model;
    const br_clip_bpe *tokenizer = model->text[BR_COMPONENT_TEXT].tokenizer;
    int tokens = br_clip_bpe_length(tokenizer), used;
    const char *prompts[2] = {it->request->negative_prompt, it->request->prompt};
    for (int i = 0; i < 2; i++) {
        BR_TRY(br_status_prefix(br_clip_bpe_encode(tokenizer, prompts[i], it->ids + i * tokens, &used),
                                i ? "prompt" : "negative prompt"));
        if (used > tokens)
            br_log_printf(&model->log, BR_LOG_WARNING, "the %s is %d tokens long, the last %d are left out",
                          i ? "prompt" : "negative prompt", used, used - tokens);
    }
    return NULL;
}

/* The context of every picture is the same: copied per picture, the unconditional ones first. Only the last of the copies has the
 * prompt. */
static br_status write_context(const conditioning *it, int64_t prompt_count)
{
    const br_picture_size *size = &it->request->size;
    int rows = size->copies * size->batch;
    float *context = malloc((size_t)(rows * prompt_count) * sizeof *context);
    if (!context)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory for the text states");
    for (int i = 0; i < rows; i++) {
        bool conditional = i >= rows - size->batch;
        memcpy(context + i * prompt_count, it->states + (conditional ? prompt_count : 0), (size_t)prompt_count * sizeof *context);
    }
    br_status status =
        br_stage_write_floats(&it->pipeline->denoise, it->pipeline->denoise_values.context, context, rows * prompt_count);
    free(context);
    return status;
}

br_status br_conditioning_write(br_pipeline *pipeline, const br_request *request, const br_dump *dump)
{
    const br_clip_text_config *text = &pipeline->model->text[BR_COMPONENT_TEXT].config;
    int64_t tokens = text->max_position_embeddings, prompt_count = tokens * text->hidden_size;
    br_status status = NULL;
    conditioning it = {.pipeline = pipeline, .request = request};
    it.ids = malloc(2 * (size_t)tokens * sizeof *it.ids);
    it.states = malloc(2 * (size_t)prompt_count * sizeof *it.states);
    if (!it.ids || !it.states)
        BR_FAIL_GOTO(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory for the text states");
    int span = br_prof_begin(pipeline->profile, "tokenise");
    BR_TRY_GOTO(encode_prompts(&it));
    br_prof_end(pipeline->profile, span);
    BR_TRY_GOTO(br_stage_write(&pipeline->text, pipeline->text_values.tokens, it.ids, 2 * (uint64_t)tokens * sizeof *it.ids));
    BR_TRY_GOTO(br_stage_run(&pipeline->text));
    BR_TRY_GOTO(br_stage_read_floats(&pipeline->text, pipeline->text_values.states, it.states, 2 * prompt_count));
    BR_TRY_GOTO(br_dump_text(dump, it.ids, it.states));
    BR_TRY_GOTO(write_context(&it, prompt_count));
fail:
    free(it.ids);
    free(it.states);
    return status;
}
