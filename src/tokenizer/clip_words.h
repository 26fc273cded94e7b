/* The Unicode half of CLIP's tokenizer: cleans a prompt and splits it into words. It follows transformers' CLIPTokenizer as it runs
 * without ftfy: its BasicTokenizer drops control characters, sets CJK ideographs apart, composes (NFC) and lower-cases as
 * Python's str.lower does; then CLIP's regular expression takes words. */
#ifndef BR_TOKENIZER_CLIP_WORDS_H
#define BR_TOKENIZER_CLIP_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* BR_ERROR_ARGUMENT with the position of the first byte that is not UTF-8. */
BR_MUST_CHECK br_status br_clip_check_utf8(const char *text, size_t size);

/* Cleaned text as code points; parts that white space set apart are separated by U+0020. */
typedef struct br_clip_words {
    int32_t *points; /* owned */
    size_t count, at;
} br_clip_words;

/* `text` is valid UTF-8. On failure *out_words is zeroed. */
BR_MUST_CHECK br_status br_clip_words_init(const char *text, size_t size, br_clip_words *out_words);
void br_clip_words_finish(br_clip_words *words);

/* The next word, borrowed: false when there is none. */
bool br_clip_words_next(br_clip_words *words, const int32_t **out_word, size_t *out_length);

#endif
