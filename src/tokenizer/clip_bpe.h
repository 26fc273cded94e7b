/* CLIP's byte-pair encoding from vocab.json and merges.txt, id for id as transformers' CLIPTokenizer (the Python one, without
 * ftfy). Read-only once made: may be shared between threads. */
#ifndef BR_TOKENIZER_CLIP_BPE_H
#define BR_TOKENIZER_CLIP_BPE_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* Longest prompt in bytes: far above what 77 tokens hold, low enough that merging stays quick. */
#define BR_CLIP_BPE_PROMPT_MAX ((size_t)64 << 10)
/* Longest T a tokenizer may ask for. */
#define BR_CLIP_BPE_LENGTH_MAX 4096

typedef struct br_clip_bpe br_clip_bpe;

typedef struct br_clip_bpe_params {
    const char *vocab_path, *merges_path;
    const char *bos, *eos, *unk, *pad; /* NULL: "<|startoftext|>" and three times "<|endoftext|>" */
    const char *const *added;          /* more texts that become one token wherever a prompt has them; they are in the vocabulary */
    size_t added_count;
    int max_length; /* T; 0: 77 */
} br_clip_bpe_params;

/* Errors: BR_ERROR_NOT_FOUND, BR_ERROR_IO; BR_ERROR_FORMAT naming file and line or token. */
BR_MUST_CHECK br_status br_clip_bpe_create(const br_clip_bpe_params *params, br_clip_bpe **out_bpe);
/* A tokenizer folder: vocab.json and merges.txt, and, where they exist, tokenizer_config.json and special_tokens_map.json for T and
 * the special tokens. A setting that would give other ids than transformers' is BR_ERROR_UNSUPPORTED. */
BR_MUST_CHECK br_status br_clip_bpe_open(const char *folder, br_clip_bpe **out_bpe);
void br_clip_bpe_destroy(br_clip_bpe *bpe);

/* T, the number of ids that br_clip_bpe_encode writes. */
int br_clip_bpe_length(const br_clip_bpe *bpe);
/* One more than the largest id: what the text encoder's embedding table needs. */
int br_clip_bpe_vocab_size(const br_clip_bpe *bpe);

/* out_ids: [T]: bos, the prompt, eos, then padding; a longer prompt loses its end, eos stays last. *out_used is the number of ids
 * with bos and eos before anything was cut, so it is above T when the prompt was too long. `out_used` may be NULL.
 * Errors: BR_ERROR_ARGUMENT for invalid UTF-8 (with the byte's position) and for prompts above BR_CLIP_BPE_PROMPT_MAX. */
BR_MUST_CHECK br_status br_clip_bpe_encode(const br_clip_bpe *bpe, const char *text, int32_t *out_ids, int *out_used);

#endif
