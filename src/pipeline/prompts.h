/* Both prompts of a drawing as every text encoder of the model takes them. Pure CPU. */
#ifndef BR_PIPELINE_PROMPTS_H
#define BR_PIPELINE_PROMPTS_H

#include "pipeline/model.h"
#include "tokenizer/chunks.h"

/* Longer prompts would take hours: ten kilobytes of any script fit. */
#define BR_PROMPTS_CHUNKS_MAX 256

/* Which of the two, here and wherever both stand one after the other. */
typedef enum br_prompt_kind { BR_PROMPT_NEGATIVE, BR_PROMPT_POSITIVE, BR_PROMPT_COUNT } br_prompt_kind;

typedef struct br_prompts_params {
    const br_model *model;
    const char *text[BR_PROMPT_COUNT];
    bool literal; /* brackets and BREAK are text */
} br_prompts_params;

typedef struct br_prompts {
    int count;                                            /* chunks of every prompt and encoder: the shorter ones are padded */
    br_chunks chunks[BR_MODEL_TEXT_MAX][BR_PROMPT_COUNT]; /* zeroed for encoders that the model has not */
} br_prompts;

/* Errors: BR_ERROR_ARGUMENT naming the prompt. On failure *out_prompts is zeroed. */
BR_MUST_CHECK br_status br_prompts_init(const br_prompts_params *params, br_prompts *out_prompts);
void br_prompts_finish(br_prompts *prompts);

#endif
