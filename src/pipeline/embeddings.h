/* Textual inversion: words of a prompt that stand for vectors from a file instead of rows of the text encoder's table. */
#ifndef BR_PIPELINE_EMBEDDINGS_H
#define BR_PIPELINE_EMBEDDINGS_H

#include "tokenizer/chunks.h"

/* Indices are those of br_model.text; encoders that the model has not have neither ids nor vectors. */
typedef struct br_embedding {
    char *name;         /* owned */
    int count;          /* n: of one chunk's tokens */
    int first;          /* row of its first vector among those of all embeddings */
    br_clip_ids ids[2]; /* owned; of the name */
    float *vectors[2];  /* owned, [n, D] */
} br_embedding;

typedef struct br_embeddings {
    br_embedding *items; /* owned */
    int count, vectors;  /* vectors: of all */
} br_embeddings;

struct br_model;

/* Reads a file: safetensors or torch's, of
 *   emb_params [n, D], string_to_param.* [n, D], or a single tensor [n, D] or [D] of any name     Stable Diffusion 1 and 2
 *   clip_l [n, D], clip_g [n, D]                                                                  SDXL; the refiner takes clip_g alone
 * `name` is what the prompt says, as a whole word, case aside; NULL: the file's name without folder and ending. A name that is there already is replaced.
 * Errors: those of the readers; BR_ERROR_FORMAT naming both widths when the vectors are not the text encoder's. */
BR_MUST_CHECK br_status br_embeddings_add(struct br_model *model, const char *name, const char *path);
/* Every .safetensors, .pt, .bin and .ckpt of a folder; those that do not fit the model are left out with a line in the log. */
BR_MUST_CHECK br_status br_embeddings_add_folder(struct br_model *model, const char *folder);
void br_embeddings_finish(br_embeddings *embeddings);

#endif
