/* Options of a command: one table says what is accepted, what it means, and what --help prints. */
#ifndef BR_CLI_OPTIONS_H
#define BR_CLI_OPTIONS_H

#include <stdint.h>

#include "cli/command.h"
#include "cli/suggest.h"

/* Borrowed from argv. */
#define BR_WORDS_MAX 64
typedef struct br_words {
    const char *items[BR_WORDS_MAX];
    int count;
} br_words;

typedef enum br_option_type {
    BR_OPTION_FLAG,   /* bool; takes no value */
    BR_OPTION_WORDS,  /* br_words: may be given again and again */
    BR_OPTION_TEXT,   /* const char *, borrowed from argv */
    BR_OPTION_MAYBE,  /* the same, but the value may be left out (--name or --name=value): "" then */
    BR_OPTION_INT,    /* int64_t, min .. max */
    BR_OPTION_NUMBER, /* double, min .. max */
    BR_OPTION_BYTES,  /* uint64_t: "512M", "1.5GiB"; K, M and G are powers of 1024 however they are written; needs a fallback */
    BR_OPTION_CHOICE, /* const char *: one of `choices`, pointing there */
} br_option_type;

typedef struct br_option {
    const char *name; /* "steps" for --steps */
    char letter;      /* 's' for -s; 0: none */
    br_option_type type;
    void *value;          /* borrowed; holds the default, receives what was given */
    const char *meta;     /* the value's name in --help: "N" */
    const char *help;     /* lines after the first are indented by --help */
    const char *fallback; /* the default in words; NULL: read from `value`, unless that is NULL text or a flag */
    double min, max;
    br_name_list choices;
    bool *given; /* set when the option was there; may be NULL */
} br_option;

typedef struct br_options {
    const br_option *options;
    int count;
    const char **positional; /* receives up to positional_max words that belong to no option */
    int positional_max;
    const char *positional_help; /* what to do about one word too many */
} br_options;

/* Parses call->argv: --name value, --name=value, -n value, -nvalue, letters of flags together, and "--" before words that begin with a dash.
 * *out_help: -h or --help was there; the help has been printed to stdout and the command is done.
 * Errors: BR_ERROR_ARGUMENT naming the option, what was given and what was expected. */
BR_MUST_CHECK br_status br_options_parse(br_call *call, const br_options *options, bool *out_help);

/* The whole of `text` as a number between min and max. `what` names it in the message. */
BR_MUST_CHECK br_status br_parse_int(br_call *call, const char *what, const char *text, int64_t min, int64_t max,
                                     int64_t *out_value);
BR_MUST_CHECK br_status br_parse_number(br_call *call, const char *what, const char *text, const double range[2],
                                        double *out_value);

/* "64,64,3" as whole numbers, at most `capacity` of them, each min .. max. */
typedef struct br_int_list {
    const char *what, *text;
    int64_t min, max;
    int capacity;
    int64_t *values; /* [capacity] */
} br_int_list;
BR_MUST_CHECK br_status br_parse_int_list(br_call *call, const br_int_list *list, int *out_count);

#endif
