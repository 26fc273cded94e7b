#include "pipeline/prompts.h"

#include <stdlib.h>

static br_status cut(const br_prompts_params *params, const br_prompt *prompt, br_component component, br_chunks *out_chunks)
{
    const br_model_text *text = &params->model->text[component];
    const br_embeddings *embeddings = &params->model->embeddings;
    br_placeholder *placeholders = malloc(((size_t)embeddings->count + 1) * sizeof *placeholders);
    if (!placeholders)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory for %d embeddings", embeddings->count);
    for (int i = 0; i < embeddings->count; i++) {
        const br_embedding *embedding = &embeddings->items[i];
        placeholders[i] = (br_placeholder){
            .name = embedding->ids[component], .first = text->config.vocab_size + embedding->first, .count = embedding->count};
    }
    br_status status = br_chunks_init(&(br_chunks_params){.tokenizer = text->tokenizer,
                                                          .prompt = prompt,
                                                          .placeholders = placeholders,
                                                          .placeholder_count = (size_t)embeddings->count},
                                      out_chunks);
    free(placeholders);
    BR_TRY(status);
    if (out_chunks->count > BR_PROMPTS_CHUNKS_MAX)
        return br_fail(BR_ERROR_ARGUMENT, "%d chunks of %d tokens, expected at most %d", out_chunks->count, out_chunks->length - 2,
                       BR_PROMPTS_CHUNKS_MAX);
    return NULL;
}

static br_status add_prompt(const br_prompts_params *params, br_prompt_kind kind, br_prompts *prompts)
{
    br_prompt prompt;
    br_status status = NULL;
    BR_TRY(params->literal ? br_prompt_literal(params->text[kind], &prompt) : br_prompt_parse(params->text[kind], &prompt));
    for (int i = 0; i < BR_MODEL_TEXT_MAX && !status; i++) {
        br_chunks *chunks = &prompts->chunks[i][kind];
        if (!br_model_has(params->model, (br_component)i))
            continue;
        status = cut(params, &prompt, (br_component)i, chunks);
        prompts->count = chunks->count > prompts->count ? chunks->count : prompts->count;
    }
    br_prompt_finish(&prompt);
    return status;
}

br_status br_prompts_init(const br_prompts_params *params, br_prompts *out_prompts)
{
    static const char *const names[BR_PROMPT_COUNT] = {"negative prompt", "prompt"};
    br_status status = NULL;
    *out_prompts = (br_prompts){0};
    for (int kind = 0; kind < BR_PROMPT_COUNT; kind++)
        BR_TRY_GOTO(br_status_prefix(add_prompt(params, (br_prompt_kind)kind, out_prompts), "%s", names[kind]));
    for (int i = 0; i < BR_MODEL_TEXT_MAX; i++)
        for (int kind = 0; kind < BR_PROMPT_COUNT && br_model_has(params->model, (br_component)i); kind++)
            BR_TRY_GOTO(br_chunks_pad(&out_prompts->chunks[i][kind], params->model->text[i].tokenizer, out_prompts->count));
    return NULL;
fail:
    br_prompts_finish(out_prompts);
    return status;
}

void br_prompts_finish(br_prompts *prompts)
{
    for (int i = 0; i < BR_MODEL_TEXT_MAX; i++)
        for (int kind = 0; kind < BR_PROMPT_COUNT; kind++)
            br_chunks_finish(&prompts->chunks[i][kind]);
    *prompts = (br_prompts){0};
}
