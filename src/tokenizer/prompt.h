/* AUTOMATIC1111's prompt syntax: which parts of a text weigh how much (stable-diffusion-webui, modules/prompt_parser.py).
 *   (text)      1.1 times             [text]     1/1.1 times
 *   (text:1.3)  1.3 times             BREAK      what follows begins a chunk of its own
 *   \( \) \[ \] \\                     the character itself; any other backslash is dropped
 * Brackets nest and their factors multiply. A bracket that is never closed weighs everything after it, a closing one that nothing opened is text. Two
 * things are not as there: BREAK ends a chunk inside brackets too, and a number that is none, as in "(a:1.2.3)", is text instead of an error; digits are
 * 0 to 9. Prompt editing "[a:b:0.5]", "[a|b]" and AND are not known: they are brackets and text. */
#ifndef BR_TOKENIZER_PROMPT_H
#define BR_TOKENIZER_PROMPT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

/* Far beyond any use (3 breaks most pictures); what is beyond it is a slip, or hostile. */
#define BR_PROMPT_WEIGHT_MAX 1000.0
/* Brackets of a kind that are open at once. 1.1 to the power of 73 is above the largest weight already. */
#define BR_PROMPT_DEPTH_MAX 256

typedef struct br_prompt_piece {
    size_t begin, length; /* bytes of br_prompt.text, without syntax and escapes */
    double weight;
    bool is_break; /* BREAK; empty */
} br_prompt_piece;

typedef struct br_prompt {
    char *text;              /* owned */
    br_prompt_piece *pieces; /* owned; neighbours differ in weight; at least one */
    size_t count;
} br_prompt;

/* Errors: BR_ERROR_ARGUMENT for invalid UTF-8, for more than BR_CLIP_BPE_PROMPT_MAX bytes, for more than BR_PROMPT_DEPTH_MAX
 * brackets open at once, and for a weight whose magnitude is above BR_PROMPT_WEIGHT_MAX. On failure *out_prompt is zeroed. */
BR_MUST_CHECK br_status br_prompt_parse(const char *text, br_prompt *out_prompt);
/* The whole text as one piece of weight 1: nothing is syntax. */
BR_MUST_CHECK br_status br_prompt_literal(const char *text, br_prompt *out_prompt);
void br_prompt_finish(br_prompt *prompt);

#endif
