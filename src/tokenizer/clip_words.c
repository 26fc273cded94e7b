#include "tokenizer/clip_words.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#define SIGMA 0x3a3
#define SIGMA_SMALL 0x3c3
#define SIGMA_FINAL 0x3c2
/* The one combining mark that folds to a letter (iota): the case-insensitive pattern takes it neither as a letter nor as
 * anything else, so it only separates words. */
#define COMBINING_YPOGEGRAMMENI 0x345
/* The one code point besides S and s that matches 's' regardless of case. */
#define LONG_S 0x17f

typedef struct range {
    int32_t first, last;
} range;

static bool in_ranges(const range *ranges, size_t count, int32_t c)
{
    for (size_t i = 0; i < count; i++)
        if (c >= ranges[i].first && c <= ranges[i].last)
            return true;
    return false;
}

#define IN(ranges, c) in_ranges(ranges, sizeof ranges / sizeof ranges[0], c)

static bool is_letter(utf8proc_category_t category)
{
    return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO;
}

static bool is_number(utf8proc_category_t category)
{
    return category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO;
}

/* Cc, Cf, Cs, Co and, as Python counts them, unassigned code points. */
static bool is_other(utf8proc_category_t category)
{
    return category == UTF8PROC_CATEGORY_CN || (category >= UTF8PROC_CATEGORY_CC && category <= UTF8PROC_CATEGORY_CO);
}

/* The blocks that BERT's tokenizer calls Chinese characters. */
static bool is_ideograph(int32_t c)
{
    static const range blocks[] = {{0x3400, 0x4dbf},   {0x4e00, 0x9fff},   {0xf900, 0xfaff},
                                   {0x20000, 0x2a6df}, {0x2a700, 0x2ceaf}, {0x2f800, 0x2fa1f}};
    return c >= blocks[0].first && IN(blocks, c);
}

/* Unicode's Cased among what is not case-ignorable (DerivedCoreProperties.txt): cased letters and a few more. */
static bool is_cased(int32_t c)
{
    static const range others[] = {{0xaa, 0xaa},       {0xba, 0xba},       {0x2160, 0x217f},  {0x24b6, 0x24e9},
                                   {0x1f130, 0x1f149}, {0x1f150, 0x1f169}, {0x1f170, 0x1f189}};
    utf8proc_category_t category = utf8proc_category(c);
    return (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LT) || IN(others, c);
}

/* Case_Ignorable: marks, modifiers, formats and the punctuation that occurs inside words. */
static bool is_case_ignorable(int32_t c)
{
    static const range others[] = {{0x27, 0x27},     {0x2e, 0x2e},     {0x3a, 0x3a},     {0xb7, 0xb7},
                                   {0x387, 0x387},   {0x55f, 0x55f},   {0x5f4, 0x5f4},   {0x2018, 0x2019},
                                   {0x2024, 0x2024}, {0x2027, 0x2027}, {0xfe13, 0xfe13}, {0xfe52, 0xfe52},
                                   {0xfe55, 0xfe55}, {0xff07, 0xff07}, {0xff0e, 0xff0e}, {0xff1a, 0xff1a}};
    switch (utf8proc_category(c)) {
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_SK:
        return true;
    default:
        return IN(others, c);
    }
}

br_status br_clip_check_utf8(const char *text, size_t size)
{
    for (size_t at = 0; at < size;) {
        utf8proc_int32_t c;
        utf8proc_ssize_t length = utf8proc_iterate((const utf8proc_uint8_t *)text + at, (utf8proc_ssize_t)(size - at), &c);
        if (length <= 0)
            return br_fail(BR_ERROR_ARGUMENT, "the prompt is not valid UTF-8: byte %zu is 0x%02x", at, (unsigned char)text[at]);
        at += (size_t)length;
    }
    return NULL;
}

/* Drops what BasicTokenizer drops, turns white space into U+0020 and sets ideographs apart. UTF-8 to UTF-8: an ideograph of three
 * bytes or more gains two, so twice the room is enough. */
static size_t strip(const char *text, size_t size, utf8proc_uint8_t *out)
{
    size_t used = 0;
    for (size_t at = 0; at < size;) {
        utf8proc_int32_t c;
        size_t length = (size_t)utf8proc_iterate((const utf8proc_uint8_t *)text + at, (utf8proc_ssize_t)(size - at), &c);
        utf8proc_category_t category = utf8proc_category(c);
        if (c == '\t' || c == '\n' || c == '\r' || category == UTF8PROC_CATEGORY_ZS || category == UTF8PROC_CATEGORY_ZL ||
            category == UTF8PROC_CATEGORY_ZP) {
            out[used++] = ' ';
        } else if (c != 0xfffd && !is_other(category)) {
            bool apart = is_ideograph(c);
            if (apart)
                out[used++] = ' ';
            memcpy(out + used, text + at, length);
            used += length;
            if (apart)
                out[used++] = ' ';
        }
        at += length;
    }
    return used;
}

/* Unicode's Final_Sigma condition, within the part between spaces. */
static bool is_final_sigma(const int32_t *points, size_t count, size_t at)
{
    size_t i = at;
    while (i > 0 && is_case_ignorable(points[i - 1]))
        i--;
    if (i == 0 || !is_cased(points[i - 1]))
        return false;
    for (i = at + 1; i < count && is_case_ignorable(points[i]); i++)
        ;
    return i == count || !is_cased(points[i]);
}

/* str.lower: simple mappings, but for the final sigma and for U+0130, which becomes two code points. `out` has room for twice
 * `count`. */
static size_t lower(const int32_t *points, size_t count, int32_t *out)
{
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        if (points[i] == SIGMA) {
            out[used++] = is_final_sigma(points, count, i) ? SIGMA_FINAL : SIGMA_SMALL;
        } else if (points[i] == 0x130) {
            out[used++] = 'i';
            out[used++] = 0x307;
        } else {
            out[used++] = utf8proc_tolower(points[i]);
        }
    }
    return used;
}

br_status br_clip_words_init(const char *text, size_t size, br_clip_words *out_words)
{
    *out_words = (br_clip_words){0};
    const utf8proc_option_t options = UTF8PROC_STABLE | UTF8PROC_COMPOSE;
    br_status status = NULL;
    int32_t *points = NULL, *lowered = NULL;
    size_t stripped, count;
    utf8proc_ssize_t needed;
    utf8proc_uint8_t *clean = malloc(size * 2 + 1);
    if (!clean)
        BR_FAIL_GOTO(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory for a prompt of %zu bytes", size);
    stripped = strip(text, size, clean);
    needed = utf8proc_decompose(clean, (utf8proc_ssize_t)stripped, NULL, 0, options);
    if (needed < 0)
        BR_FAIL_GOTO(BR_ERROR_ARGUMENT, "the prompt cannot be normalised: %s", utf8proc_errmsg(needed));
    points = malloc(((size_t)needed + 1) * sizeof *points);
    lowered = malloc(((size_t)needed * 2 + 1) * sizeof *lowered);
    if (!points || !lowered)
        BR_FAIL_GOTO(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory for a prompt of %zu bytes", size);
    needed = utf8proc_decompose(clean, (utf8proc_ssize_t)stripped, points, needed, options);
    count = needed > 0 ? (size_t)utf8proc_normalize_utf32(points, needed, options) : 0;
    for (size_t begin = 0, end; begin < count; begin = end) {
        for (end = begin; end < count && points[end] != ' '; end++)
            ;
        out_words->count += lower(points + begin, end - begin, lowered + out_words->count);
        if (end < count) {
            lowered[out_words->count++] = ' ';
            end++;
        }
    }
    out_words->points = lowered;
    lowered = NULL;
fail:
    free(clean);
    free(points);
    free(lowered);
    return status;
}

void br_clip_words_finish(br_clip_words *words)
{
    free(words->points);
    *words = (br_clip_words){0};
}

/* Whether `points` begins with the ASCII text `prefix`, regardless of case (everything but the long s is lower case already). */
static bool has_prefix(const int32_t *points, size_t count, const char *prefix, size_t length)
{
    if (length > count)
        return false;
    for (size_t i = 0; i < length; i++)
        if (points[i] != prefix[i] && !(prefix[i] == 's' && points[i] == LONG_S))
            return false;
    return true;
}

typedef enum word_class { CLASS_NONE, CLASS_LETTER, CLASS_NUMBER, CLASS_OTHER } word_class;

static word_class classify(int32_t c)
{
    if (c == ' ' || c == COMBINING_YPOGEGRAMMENI)
        return CLASS_NONE;
    utf8proc_category_t category = utf8proc_category(c);
    return is_letter(category) ? CLASS_LETTER : is_number(category) ? CLASS_NUMBER : CLASS_OTHER;
}

/* The length of what CLIP's pattern matches at `points`, 0 where it matches nothing:
 * <\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+ */
static size_t match(const int32_t *points, size_t count)
{
    static const char *const literals[] = {"<|startoftext|>", "<|endoftext|>", "'s", "'t", "'re", "'ve", "'m", "'ll", "'d"};
    if (points[0] == '<' || points[0] == '\'')
        for (size_t i = 0; i < sizeof literals / sizeof literals[0]; i++)
            if (has_prefix(points, count, literals[i], strlen(literals[i])))
                return strlen(literals[i]);
    word_class class = classify(points[0]);
    if (class == CLASS_NONE || class == CLASS_NUMBER)
        return class == CLASS_NUMBER;
    size_t length = 1;
    while (length < count && classify(points[length]) == class)
        length++;
    return length;
}

bool br_clip_words_next(br_clip_words *words, const int32_t **out_word, size_t *out_length)
{
    while (words->at < words->count) {
        const int32_t *word = words->points + words->at;
        size_t length = match(word, words->count - words->at);
        if (length) {
            words->at += length;
            *out_word = word;
            *out_length = length;
            return true;
        }
        words->at++;
    }
    return false;
}
