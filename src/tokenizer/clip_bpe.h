/* CLIP's byte-pair encoding from vocab.json and merges.txt, or from the merges alone, id for id as transformers' CLIPTokenizer (the Python one, without
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

/* Largest id: far above any vocabulary, low enough that a lie cannot ask for much. */
#define BR_CLIP_BPE_ID_MAX ((1 << 24) - 1)

typedef struct br_clip_bpe br_clip_bpe;

/* A text that is one token wherever a prompt has it, before anything is cleaned or lower-cased. */
typedef struct br_clip_bpe_added {
    const char *text;
    int32_t id; /* -1: what the vocabulary says */
} br_clip_bpe_added;

typedef struct br_clip_bpe_params {
    /* vocab_path NULL: the vocabulary follows from the merges as in CLIP: the 256 bytes, the same with "</w>", what each merge makes,
     * "<|startoftext|>", "<|endoftext|>" (openai/CLIP, clip/simple_tokenizer.py). */
    const char *vocab_path, *merges_path;
    const char *bos, *eos, *unk, *pad; /* NULL: "<|startoftext|>" and three times "<|endoftext|>" */
    const br_clip_bpe_added *added;    /* more of them than those four, or other ids for those; empty texts are ignored */
    size_t added_count;
    int max_length; /* T; 0: 77 */
} br_clip_bpe_params;

/* Errors: BR_ERROR_NOT_FOUND, BR_ERROR_IO; BR_ERROR_FORMAT naming file and line or token. */
BR_MUST_CHECK br_status br_clip_bpe_create(const br_clip_bpe_params *params, br_clip_bpe **out_bpe);
/* A tokenizer folder as transformers saves it: vocab.json and merges.txt, and, where they exist, tokenizer_config.json,
 * special_tokens_map.json, added_tokens.json and tokenizer.json for T, the special and the added tokens. As in transformers, the last three
 * count only while tokenizer_config.json has no added_tokens_decoder. Without model_max_length T is 77. A setting under which the ids would differ from
 * transformers' is BR_ERROR_UNSUPPORTED, named. */
BR_MUST_CHECK br_status br_clip_bpe_open(const char *folder, br_clip_bpe **out_bpe);
/* The vocabulary of every CLIP and OpenCLIP text encoder, 49,408 tokens, which ships with Brume (assets/tokenizer/clip). `pad` is NULL for
 * "<|endoftext|>", or "!" (id 0) for OpenCLIP's encoders: SD2's, and SDXL's second. */
BR_MUST_CHECK br_status br_clip_bpe_open_shipped(const char *pad, br_clip_bpe **out_bpe);
void br_clip_bpe_destroy(br_clip_bpe *bpe);

/* T, the number of ids that a text encoder takes at once, bos and eos among them. */
int br_clip_bpe_length(const br_clip_bpe *bpe);
/* One more than the largest id: what the text encoder's embedding table needs. */
int br_clip_bpe_vocab_size(const br_clip_bpe *bpe);

/* What stands around a prompt, and the id of a comma that ends a word (-1: the vocabulary has none). */
typedef struct br_clip_frame {
    int32_t bos, eos, pad, comma;
} br_clip_frame;
br_clip_frame br_clip_bpe_frame(const br_clip_bpe *bpe);

/* {0} is empty. free(items) when done. */
typedef struct br_clip_ids {
    int32_t *items; /* owned */
    size_t count, capacity;
} br_clip_ids;

/* Appends the ids of `size` bytes of text, without bos, eos and padding. Errors: BR_ERROR_ARGUMENT for invalid UTF-8 (with the byte's position) and for texts
 * above BR_CLIP_BPE_PROMPT_MAX. */
BR_MUST_CHECK br_status br_clip_bpe_encode(const br_clip_bpe *bpe, const char *text, size_t size, br_clip_ids *ids);

#endif
