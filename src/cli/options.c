#include "cli/options.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cli/help.h"

typedef struct parser {
    br_call *call;
    const br_options *options;
    int next; /* index into argv */
} parser;

static const br_option *find_name(const br_options *options, const char *name, size_t length)
{
    for (int i = 0; i < options->count; i++)
        if (strlen(options->options[i].name) == length && strncmp(options->options[i].name, name, length) == 0)
            return &options->options[i];
    return NULL;
}

static const br_option *find_letter(const br_options *options, char letter)
{
    for (int i = 0; i < options->count; i++)
        if (letter && options->options[i].letter == letter)
            return &options->options[i];
    return NULL;
}

/* Whether `word` is exactly an option of this command: then a value that should stand there was forgotten. */
static bool is_option(const br_options *options, const char *word)
{
    if (word[0] != '-' || !word[1])
        return false;
    if (word[1] != '-')
        return !word[2] && find_letter(options, word[1]);
    return find_name(options, word + 2, strcspn(word + 2, "=")) != NULL;
}

/* Ends on anything that strtod or strtoll would take beyond plain decimal numbers (hexadecimal, "inf", leading blanks). */
static bool only(const char *text, const char *characters)
{
    return *text && text[strspn(text, characters)] == 0;
}

br_status br_parse_int(br_call *call, const char *what, const char *text, int64_t min, int64_t max, int64_t *out_value)
{
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (only(text, "+-0123456789") && end != text && !*end && !errno && value >= min && value <= max) {
        *out_value = value;
        return NULL;
    }
    if (max == INT64_MAX)
        return br_wrong_usage(call, "%s: \"%s\" given, expected a whole number, %" PRId64 " or more", what, text, min);
    return br_wrong_usage(call, "%s: \"%s\" given, expected a whole number from %" PRId64 " to %" PRId64, what, text, min, max);
}

br_status br_parse_number(br_call *call, const char *what, const char *text, const double range[2], double *out_value)
{
    char *end;
    double value = strtod(text, &end);
    if (only(text, "+-.eE0123456789") && end != text && !*end && value >= range[0] && value <= range[1]) {
        *out_value = value;
        return NULL;
    }
    return br_wrong_usage(call, "%s: \"%s\" given, expected a number from %g to %g", what, text, range[0], range[1]);
}

br_status br_parse_int_list(br_call *call, const br_int_list *list, int *out_count)
{
    char item[32];
    int count = 0;
    const char *text = list->text;
    for (;;) {
        size_t length = strcspn(text, ",");
        if (count == list->capacity)
            return br_wrong_usage(call, "%s: \"%s\" has more than %d numbers", list->what, list->text, list->capacity);
        if (length >= sizeof item)
            return br_wrong_usage(call, "%s: \"%s\" given, expected whole numbers with commas between them", list->what,
                                  list->text);
        memcpy(item, text, length);
        item[length] = 0;
        BR_TRY(br_parse_int(call, list->what, item, list->min, list->max, &list->values[count]));
        count++;
        if (!text[length])
            break;
        text += length + 1;
    }
    *out_count = count;
    return NULL;
}

static br_status parse_bytes(parser *p, const char *what, const char *text, uint64_t *out_bytes)
{
    static const char *const units[] = {"", "K", "M", "G", "T"};
    char *unit;
    double value = strtod(text, &unit), factor = 1;
    bool plain =
        strcspn(text, "0123456789.") == 0 && value > 0 && value < 1e15 && (size_t)(unit - text) == strspn(text, "0123456789.");
    for (size_t i = 0; plain && i < sizeof units / sizeof *units; i++, factor *= 1024) {
        size_t length = strlen(units[i]);
        const char *rest = unit + length;
        if (strncasecmp(unit, units[i], length) != 0 || (strcasecmp(rest, "") && strcasecmp(rest, "B") && strcasecmp(rest, "iB")))
            continue;
        *out_bytes = (uint64_t)(value * factor);
        return NULL;
    }
    return br_wrong_usage(p->call, "%s: \"%s\" given, expected a number of bytes like 512M or 1.5GiB", what, text);
}

static br_status parse_choice(parser *p, const br_option *option, const char *what, const char *text)
{
    char all[256];
    size_t used = 0;
    for (int i = 0; option->choices(i); i++) {
        if (strcmp(option->choices(i), text) == 0) {
            *(const char **)option->value = option->choices(i);
            return NULL;
        }
        if (used < sizeof all)
            used += (size_t)snprintf(all + used, sizeof all - used, "%s%s", i ? ", " : "", option->choices(i));
    }
    return br_wrong_usage(p->call, "%s: \"%s\" given, expected one of %s", what, text, all);
}

/* `what` is the option as it was typed. */
static br_status store(parser *p, const br_option *option, const char *what, const char *text)
{
    if (option->given)
        *option->given = true;
    switch (option->type) {
    case BR_OPTION_FLAG:
        *(bool *)option->value = true;
        return NULL;
    case BR_OPTION_MAYBE:
        *(const char **)option->value = text ? text : "";
        return NULL;
    case BR_OPTION_TEXT:
        *(const char **)option->value = text;
        return NULL;
    case BR_OPTION_WORDS: {
        br_words *words = option->value;
        if (words->count == BR_WORDS_MAX)
            return br_wrong_usage(p->call, "%s is there more than %d times", what, BR_WORDS_MAX);
        words->items[words->count++] = text;
        return NULL;
    }
    case BR_OPTION_INT: {
        /* A double holds every bound that is written in a table; the largest stands for "any". */
        int64_t max = option->max >= (double)INT64_MAX ? INT64_MAX : (int64_t)option->max;
        return br_parse_int(p->call, what, text, (int64_t)option->min, max, option->value);
    }
    case BR_OPTION_NUMBER:
        return br_parse_number(p->call, what, text, (double[2]){option->min, option->max}, option->value);
    case BR_OPTION_BYTES:
        return parse_bytes(p, what, text, option->value);
    case BR_OPTION_CHOICE:
        break;
    }
    return parse_choice(p, option, what, text);
}

/* The option's value from the next word. */
static br_status store_next(parser *p, const br_option *option, const char *what)
{
    const char *word = p->next < p->call->argc ? p->call->argv[p->next] : NULL;
    if (!word)
        return br_wrong_usage(p->call, "%s needs a value: %s %s", what, what, option->meta);
    if (is_option(p->options, word))
        return br_wrong_usage(p->call, "%s needs a value before %s (a value that begins with a dash is written --%s=%s)", what,
                              word, option->name, word);
    p->next++;
    return store(p, option, what, word);
}

static br_status unknown_option(parser *p, const char *word)
{
    size_t length = strcspn(word + 2, "=");
    char name[64];
    snprintf(name, sizeof name, "%.*s", (int)length, word + 2);
    const char *nearest = NULL;
    int best = length > 5 ? (int)length / 3 : 1;
    for (int i = 0; i < p->options->count; i++) {
        const char *candidate = p->options->options[i].name;
        int distance = br_edit_distance(name, candidate);
        /* A beginning of a name ("--neg") is near as well. */
        if (length >= 3 && strncmp(candidate, name, strlen(name)) == 0)
            distance = 1;
        if (distance <= best && (!nearest || distance < best)) {
            nearest = candidate;
            best = distance;
        }
    }
    if (nearest)
        return br_wrong_usage(p->call, "unknown option --%s; did you mean --%s?", name, nearest);
    return br_wrong_usage(p->call, "unknown option --%s; \"brume %s --help\" lists what there is", name, p->call->command->name);
}

/* "--name", "--name=value". */
static br_status parse_long(parser *p, const char *word)
{
    size_t length = strcspn(word + 2, "=");
    const br_option *option = find_name(p->options, word + 2, length);
    if (!option)
        return unknown_option(p, word);
    const char *value = word[2 + length] ? word + 2 + length + 1 : NULL;
    char what[64];
    snprintf(what, sizeof what, "--%s", option->name);
    if (option->type == BR_OPTION_FLAG && value)
        return br_wrong_usage(p->call, "%s takes no value, \"%s\" given", what, value);
    if (option->type == BR_OPTION_FLAG || option->type == BR_OPTION_MAYBE || value)
        return store(p, option, what, value);
    return store_next(p, option, what);
}

/* "-n", "-nVALUE", "-qv". */
static br_status parse_letters(parser *p, const char *word, bool *out_help)
{
    for (const char *letter = word + 1; *letter; letter++) {
        const br_option *option = find_letter(p->options, *letter);
        char what[3] = {'-', *letter, 0};
        if (!option && *letter == 'h') {
            *out_help = true;
            return NULL;
        }
        if (!option)
            return br_wrong_usage(p->call, "unknown option %s; \"brume %s --help\" lists what there is",
                                  letter == word + 1 ? word : what, p->call->command->name);
        if (option->type == BR_OPTION_FLAG || option->type == BR_OPTION_MAYBE)
            BR_TRY(store(p, option, what, NULL));
        else
            return letter[1] ? store(p, option, what, letter + 1) : store_next(p, option, what);
    }
    return NULL;
}

br_status br_options_parse(br_call *call, const br_options *options, bool *out_help)
{
    parser p = {.call = call, .options = options};
    bool only_words = false;
    int words = 0;
    *out_help = false;
    while (p.next < call->argc && !*out_help) {
        const char *word = call->argv[p.next++];
        if (only_words || word[0] != '-' || !word[1]) {
            if (words == options->positional_max)
                return br_wrong_usage(call, "unexpected \"%s\"%s", word, options->positional_help ? options->positional_help : "");
            options->positional[words++] = word;
        } else if (strcmp(word, "--") == 0) {
            only_words = true;
        } else if (strcmp(word, "--help") == 0) {
            *out_help = true;
        } else if (word[1] == '-') {
            BR_TRY(parse_long(&p, word));
        } else {
            BR_TRY(parse_letters(&p, word, out_help));
        }
    }
    if (*out_help)
        br_print_help(stdout, call->command, options);
    return NULL;
}
