/* --dump-dir: what went through a run, as .npy files that other implementations can be held against. */
#ifndef BR_PIPELINE_DUMP_H
#define BR_PIPELINE_DUMP_H

#include "pipeline/request.h"

/* Where one picture's files go: the folder itself for a single picture, FOLDER/000, FOLDER/001, … for a batch. A NULL folder makes every call do nothing. */
typedef struct br_dump {
    const char *folder;        /* borrowed */
    const br_request *request; /* borrowed */
    const br_model *model;     /* borrowed */
} br_dump;

/* Creates the folders. Errors: BR_ERROR_IO. */
BR_MUST_CHECK br_status br_dump_begin(const br_dump *dump);
/* tokens, tokens_uncond (int32 [n · T]) of the first text encoder, tokens_2, … of the second. ids: [2, n · T], the unconditional prompt first. */
BR_MUST_CHECK br_status br_dump_tokens(const br_dump *dump, br_component component, const int32_t *ids);
/* text, text_uncond (float32 [n · T, D]): what the UNet attends to, the states of two encoders side by side; and, for UNets that take it, pooled, pooled_uncond
 * (float32 [P]). states: [2, n · T, D]; pooled: [2, P]. */
BR_MUST_CHECK br_status br_dump_text(const br_dump *dump, const float *states, const float *pooled);
/* eps_cond_NNN and eps_uncond_NNN (float32 [C, h, w]) from the model's output [copies · B, h, w, C]. Without guidance there is only eps_cond. */
BR_MUST_CHECK br_status br_dump_output(const br_dump *dump, int evaluation, const float *output);
/* latents (float32 [C, h, w]) of every picture from [B, C, h, w]. */
BR_MUST_CHECK br_status br_dump_latents(const br_dump *dump, const float *latents);
/* image (float32 [3, H, W], 0 .. 1) of one picture. */
BR_MUST_CHECK br_status br_dump_picture(const br_dump *dump, int picture, const float *planes);

#endif
