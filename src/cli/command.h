/* A command of the command line and one call of it. */
#ifndef BR_CLI_COMMAND_H
#define BR_CLI_COMMAND_H

#include <stdbool.h>
#include <stdio.h>

#include "base/status.h"

typedef struct br_command br_command;

typedef struct br_call {
    const br_command *command; /* borrowed, static */
    int argc;                  /* what stands after the command's name */
    char **argv;
    bool wrong_usage; /* set by br_wrong_usage: the program ends with 2 instead of 1 */
} br_call;

struct br_command {
    const char *name;
    const char *summary;  /* one line for the overview */
    const char *synopsis; /* after "brume NAME" in the usage line */
    const char *details;  /* below the options in --help: whole lines, ends with a newline; may be NULL */
    const char *examples; /* as details */
    /* Results go to stdout, everything else to stderr; the caller prints the error. */
    br_status (*run)(br_call *call);
};

extern const br_command br_cmd_txt2img, br_cmd_img2img, br_cmd_inpaint, br_cmd_forward, br_cmd_devices, br_cmd_inspect,
    br_cmd_convert, br_cmd_bench, br_cmd_profile, br_cmd_shaders, br_cmd_tune, br_cmd_help;

/* The table of commands: index 0 .. until NULL. */
const br_command *br_command_list(int index);
/* NULL when there is no such command. */
const br_command *br_command_find(const char *name);

/* An error of the person who typed the command. */
BR_MUST_CHECK BR_NEVER_NULL br_status br_wrong_usage(br_call *call, const char *format, ...) BR_PRINTF(2, 3);

/* What `brume` and `brume help` print. */
void br_print_overview(FILE *stream);

#endif
