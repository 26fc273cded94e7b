#include "cli/help.h"

#include <ctype.h>
#include <string.h>

/* Where the texts of the options begin. */
#define HELP_COLUMN 30

/* Lists of names are broken before this column; the default still fits behind them. */
#define LIST_END 108

/* `column`: where the list begins. */
static void print_choices(FILE *stream, br_name_list choices, int column)
{
    for (int i = 0; choices(i); i++) {
        const char *comma = choices(i + 1) ? "," : "";
        int length = (int)strlen(choices(i)) + (int)strlen(comma);
        if (column + 1 + length > LIST_END) {
            fprintf(stream, "\n%*s", HELP_COLUMN, "");
            column = HELP_COLUMN;
        } else {
            fputc(' ', stream);
            column++;
        }
        fprintf(stream, "%s%s", choices(i), comma);
        column += length;
    }
}

static void print_default(FILE *stream, const br_option *option)
{
    if (option->fallback) {
        if (*option->fallback)
            fprintf(stream, " (default: %s)", option->fallback);
        return;
    }
    switch (option->type) {
    case BR_OPTION_FLAG:
    case BR_OPTION_WORDS:
    case BR_OPTION_BYTES:
        break;
    case BR_OPTION_TEXT:
    case BR_OPTION_MAYBE:
    case BR_OPTION_CHOICE:
        if (*(const char *const *)option->value)
            fprintf(stream, " (default: %s)", *(const char *const *)option->value);
        break;
    case BR_OPTION_INT:
        fprintf(stream, " (default: %lld)", (long long)*(const int64_t *)option->value);
        break;
    case BR_OPTION_NUMBER:
        fprintf(stream, " (default: %g)", *(const double *)option->value);
        break;
    }
}

static void print_option(FILE *stream, const br_option *option)
{
    char head[80];
    int length = 0;
    if (option->letter)
        length = snprintf(head, sizeof head, "  -%c, --%s", option->letter, option->name);
    else
        length = snprintf(head, sizeof head, "      --%s", option->name);
    if (option->type == BR_OPTION_MAYBE)
        length += snprintf(head + length, sizeof head - (size_t)length, "[=%s]", option->meta);
    else if (option->type != BR_OPTION_FLAG)
        length += snprintf(head + length, sizeof head - (size_t)length, " %s", option->meta);
    if (length > HELP_COLUMN - 2)
        fprintf(stream, "%s\n%*s", head, HELP_COLUMN, "");
    else
        fprintf(stream, "%-*s", HELP_COLUMN, head);
    for (const char *text = option->help; *text; text++) {
        fputc(*text, stream);
        if (*text == '\n')
            fprintf(stream, "%*s", HELP_COLUMN, "");
    }
    if (option->choices) {
        const char *line = strrchr(option->help, '\n');
        fputc(':', stream);
        print_choices(stream, option->choices, HELP_COLUMN + (int)strlen(line ? line + 1 : option->help) + 1);
    }
    print_default(stream, option);
    fputc('\n', stream);
}

/* `text` indented, line by line. */
static void print_block(FILE *stream, const char *title, const char *text)
{
    fprintf(stream, "\n%s\n", title);
    while (*text) {
        const char *end = strchr(text, '\n');
        int length = end ? (int)(end - text) : (int)strlen(text);
        fprintf(stream, length ? "  %.*s\n" : "%.*s\n", length, text);
        text += length + (end != NULL);
    }
}

void br_print_help(FILE *stream, const br_command *command, const br_options *options)
{
    static const br_option help = {.name = "help", .letter = 'h', .type = BR_OPTION_FLAG, .help = "print this text"};
    fprintf(stream, "Usage: brume %s %s\n\n%c%s.\n\nOptions:\n", command->name, command->synopsis,
            toupper((unsigned char)command->summary[0]), command->summary + 1);
    for (int i = 0; i < options->count; i++)
        print_option(stream, &options->options[i]);
    print_option(stream, &help);
    if (command->details)
        print_block(stream, "Good to know:", command->details);
    if (command->examples)
        print_block(stream, "Examples:", command->examples);
}
