/* A prompt cut into what a text encoder takes at once, as AUTOMATIC1111 cuts it (modules/sd_hijack_clip.py, tokenize_line): chunks of T - 2 tokens, each with its
 * own bos and eos. Where a chunk ends within BR_CHUNKS_BACKTRACK tokens of its last comma, what follows the comma moves to the next chunk. BREAK ends a
 * chunk. A prompt without tokens is one chunk. */
#ifndef BR_TOKENIZER_CHUNKS_H
#define BR_TOKENIZER_CHUNKS_H

#include "tokenizer/clip_bpe.h"
#include "tokenizer/prompt.h"

#define BR_CHUNKS_BACKTRACK 20

/* A word that stands for vectors of its own (textual inversion): `count` ids from `first` on, where its name's ids are. */
typedef struct br_placeholder {
    br_clip_ids name; /* borrowed; not empty */
    int32_t first;
    int count; /* 1 to T - 2 */
} br_placeholder;

typedef struct br_chunks_params {
    const br_clip_bpe *tokenizer;
    const br_prompt *prompt;
    const br_placeholder *placeholders; /* the one with the longest name wins */
    size_t placeholder_count;
} br_chunks_params;

typedef struct br_chunks {
    int count, length; /* n, T */
    int32_t *ids;      /* owned, [n, T] */
    float *weights;    /* owned, [n, T]; 1 for bos, eos and padding */
} br_chunks;

/* On failure *out_chunks is zeroed. */
BR_MUST_CHECK br_status br_chunks_init(const br_chunks_params *params, br_chunks *out_chunks);
/* Appends chunks without tokens until there are `count`. */
BR_MUST_CHECK br_status br_chunks_pad(br_chunks *chunks, const br_clip_bpe *tokenizer, int count);
void br_chunks_finish(br_chunks *chunks);

#endif
