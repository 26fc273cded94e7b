#include "tokenizer/prompt.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "tokenizer/clip_bpe.h"
#include "tokenizer/clip_words.h"

#define ROUND_FACTOR 1.1
#define SQUARE_FACTOR (1 / 1.1)
/* As many decimal digits as a double holds exactly; further ones do not count. */
#define DIGITS_MAX 15
#define BREAK_LENGTH (sizeof "BREAK" - 1)

/* Where each bracket was opened: the number of pieces before it. */
typedef struct bracket_stack {
    size_t items[BR_PROMPT_DEPTH_MAX];
    int count;
} bracket_stack;

typedef struct prompt_parser {
    const char *at, *end;
    br_prompt prompt;
    size_t used; /* bytes of prompt.text */
    bracket_stack round, square;
} prompt_parser;

/* Room was reserved: no byte makes more than two pieces, and BREAK three. */
static void push(prompt_parser *it, const char *text, size_t length)
{
    memcpy(it->prompt.text + it->used, text, length);
    it->prompt.pieces[it->prompt.count++] = (br_prompt_piece){.begin = it->used, .length = length, .weight = 1};
    it->used += length;
}

static void push_break(prompt_parser *it)
{
    it->prompt.pieces[it->prompt.count++] = (br_prompt_piece){.begin = it->used, .weight = 1, .is_break = true};
}

static void multiply(prompt_parser *it, size_t first, double factor)
{
    for (size_t i = first; i < it->prompt.count; i++)
        it->prompt.pieces[i].weight *= factor;
}

/* ---- characters, as Python's re module sees them ---- */

/* Bytes of the character at `at`, 0 at the end. The text is valid UTF-8. */
static size_t decode(const char *at, const char *end, int32_t *out_point)
{
    return at == end ? 0 : (size_t)utf8proc_iterate((const utf8proc_uint8_t *)at, end - at, out_point);
}

/* \s */
static bool is_space(int32_t c)
{
    if (c < 0x80)
        return c == ' ' || (c >= '\t' && c <= '\r') || (c >= 0x1c && c <= 0x1f);
    utf8proc_category_t category = utf8proc_category(c);
    return c == 0x85 || (category >= UTF8PROC_CATEGORY_ZS && category <= UTF8PROC_CATEGORY_ZP);
}

/* \w */
static bool is_word(int32_t c)
{
    utf8proc_category_t category = utf8proc_category(c);
    return c == '_' || (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO) ||
           (category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO);
}

static const char *skip_space(const char *at, const char *end)
{
    int32_t c;
    while (at < end) {
        size_t length = decode(at, end, &c);
        if (!is_space(c))
            break;
        at += length;
    }
    return at;
}

/* ---- ":1.3)" ---- */

/* Digits with at most one point and a sign; false for anything else. No locale decides what the point is. */
static bool read_number(const char **at, const char *end, double *out_value)
{
    const char *c = *at;
    bool negative = c < end && *c == '-', point = false;
    double mantissa = 0;
    int digits = 0, significant = 0, exponent = 0;
    if (c < end && (*c == '-' || *c == '+'))
        c++;
    for (; c < end && ((*c >= '0' && *c <= '9') || *c == '.'); c++) {
        if (*c == '.') {
            if (point)
                return false;
            point = true;
            continue;
        }
        digits = 1;
        if (significant < DIGITS_MAX) {
            mantissa = mantissa * 10 + (*c - '0');
            significant += mantissa > 0;
            exponent -= point;
        } else {
            exponent += !point;
        }
    }
    *at = c;
    mantissa = exponent < 0 ? mantissa / pow(10, -(double)exponent) : mantissa * pow(10, exponent);
    *out_value = negative ? -mantissa : mantissa;
    return digits > 0;
}

/* Whether a weight stands at `at`, which is a colon; *out_end is behind its bracket. */
static bool read_weight(const char *at, const char *end, double *out_weight, const char **out_end)
{
    at = skip_space(at + 1, end);
    if (!read_number(&at, end, out_weight))
        return false;
    at = skip_space(at, end);
    *out_end = at + 1;
    return at < end && *at == ')';
}

/* ---- the text between ---- */

/* Whether BREAK stands at `at`, and no word goes on behind it. */
static bool is_break(const char *at, const char *end)
{
    int32_t c;
    if ((size_t)(end - at) < BREAK_LENGTH || memcmp(at, "BREAK", BREAK_LENGTH) != 0)
        return false;
    return decode(at + BREAK_LENGTH, end, &c) == 0 || !is_word(c);
}

/* BREAK as a word of its own takes the white space around it along. */
static void push_text(prompt_parser *it, const char *begin, const char *end)
{
    const char *start = begin, *space = begin; /* of the piece; of the white space before `at` */
    bool after_word = false;
    int32_t c;
    for (const char *at = begin; at < end;) {
        if (!after_word && is_break(at, end)) {
            push(it, start, (size_t)(space - start));
            push_break(it);
            at = start = space = skip_space(at + BREAK_LENGTH, end);
            continue;
        }
        at += decode(at, end, &c);
        after_word = is_word(c);
        if (!is_space(c))
            space = at;
    }
    push(it, start, (size_t)(end - start));
}

static bool is_syntax(char c)
{
    return c == '\\' || c == '(' || c == ')' || c == '[' || c == ']' || c == ':';
}

static br_status open_bracket(prompt_parser *it, bracket_stack *stack)
{
    if (stack->count == BR_PROMPT_DEPTH_MAX)
        return br_fail(BR_ERROR_ARGUMENT, "more than %d brackets \"%c\" are open at once", BR_PROMPT_DEPTH_MAX, it->at[-1]);
    stack->items[stack->count++] = it->prompt.count;
    return NULL;
}

static br_status parse_next(prompt_parser *it)
{
    const char *begin = it->at, *behind;
    double weight;
    switch (*it->at++) {
    case '\\': {
        bool escapes = it->at < it->end && is_syntax(*it->at) && *it->at != ':';
        push(it, it->at, escapes);
        it->at += escapes;
        return NULL;
    }
    case '(':
        return open_bracket(it, &it->round);
    case '[':
        return open_bracket(it, &it->square);
    case ')':
        if (it->round.count)
            multiply(it, it->round.items[--it->round.count], ROUND_FACTOR);
        else
            push_text(it, begin, it->at);
        return NULL;
    case ']':
        if (it->square.count)
            multiply(it, it->square.items[--it->square.count], SQUARE_FACTOR);
        else
            push_text(it, begin, it->at);
        return NULL;
    case ':':
        if (read_weight(begin, it->end, &weight, &behind)) {
            it->at = behind;
            if (it->round.count)
                multiply(it, it->round.items[--it->round.count], weight);
            else
                push_text(it, begin, behind);
            return NULL;
        }
        push_text(it, begin, it->at);
        return NULL;
    default:
        while (it->at < it->end && !is_syntax(*it->at))
            it->at++;
        push_text(it, begin, it->at);
        return NULL;
    }
}

/* Neighbours of one weight become one piece, so that a word in two of them is one word. */
static void merge(br_prompt *prompt)
{
    size_t kept = 0;
    for (size_t i = 1; i < prompt->count; i++) {
        br_prompt_piece *last = &prompt->pieces[kept], *next = &prompt->pieces[i];
        if (!last->is_break && !next->is_break && last->weight == next->weight)
            last->length += next->length;
        else
            prompt->pieces[++kept] = *next;
    }
    prompt->count = kept + 1;
}

static br_status check_weights(const br_prompt *prompt)
{
    for (size_t i = 0; i < prompt->count; i++) {
        const br_prompt_piece *piece = &prompt->pieces[i];
        if (!piece->is_break && !(fabs(piece->weight) <= BR_PROMPT_WEIGHT_MAX))
            return br_fail(BR_ERROR_ARGUMENT, "\"%.*s\" has the weight %g, expected at most %g",
                           piece->length < 60 ? (int)piece->length : 60, prompt->text + piece->begin, piece->weight,
                           BR_PROMPT_WEIGHT_MAX);
    }
    return NULL;
}

static br_status start(const char *text, prompt_parser *it)
{
    size_t size = strlen(text);
    *it = (prompt_parser){.at = text, .end = text + size};
    if (size > BR_CLIP_BPE_PROMPT_MAX)
        return br_fail(BR_ERROR_ARGUMENT, "the prompt has %zu bytes, expected at most %zu", size, BR_CLIP_BPE_PROMPT_MAX);
    BR_TRY(br_clip_check_utf8(text, size));
    it->prompt.text = malloc(size + 1);
    it->prompt.pieces = malloc((2 * size + 1) * sizeof *it->prompt.pieces);
    if (!it->prompt.text || !it->prompt.pieces)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory for a prompt of %zu bytes", size);
    return NULL;
}

static br_status parse(prompt_parser *it)
{
    while (it->at < it->end)
        BR_TRY(parse_next(it));
    for (int i = 0; i < it->round.count; i++)
        multiply(it, it->round.items[i], ROUND_FACTOR);
    for (int i = 0; i < it->square.count; i++)
        multiply(it, it->square.items[i], SQUARE_FACTOR);
    if (it->prompt.count == 0)
        push(it, "", 0);
    merge(&it->prompt);
    return check_weights(&it->prompt);
}

br_status br_prompt_parse(const char *text, br_prompt *out_prompt)
{
    prompt_parser it;
    br_status status = start(text, &it);
    if (!status)
        status = parse(&it);
    *out_prompt = it.prompt;
    if (status)
        br_prompt_finish(out_prompt);
    return status;
}

br_status br_prompt_literal(const char *text, br_prompt *out_prompt)
{
    prompt_parser it;
    br_status status = start(text, &it);
    if (!status)
        push(&it, text, (size_t)(it.end - text));
    *out_prompt = it.prompt;
    if (status)
        br_prompt_finish(out_prompt);
    return status;
}

void br_prompt_finish(br_prompt *prompt)
{
    free(prompt->text);
    free(prompt->pieces);
    *prompt = (br_prompt){0};
}
