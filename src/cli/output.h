/* The names of the files that pictures go to. */
#ifndef BR_CLI_OUTPUT_H
#define BR_CLI_OUTPUT_H

#include "cli/command.h"

/* What --help says about -o. */
#define BR_OUTPUT_HELP                                                                                         \
    "Without -o the picture goes to output.png, or to the first free of output-001.png, output-002.png, ...\n" \
    "A name given with -o is taken as it is: a file of that name is replaced. Several pictures become\n"       \
    "NAME-000.png, NAME-001.png, ...; %d or %03d in the name says where the number goes. \"-o -\" is\n"        \
    "standard output.\n"

typedef struct br_output {
    char **paths; /* owned, [count] */
    int count;
    char *grid;     /* owned; name of the sheet of all of them */
    bool to_stdout; /* the picture goes to standard output, so nothing else may */
} br_output;

typedef struct br_output_params {
    const char *given;    /* as typed after -o; NULL: none */
    const char *fallback; /* "output.png" */
    int count;
    bool grid; /* a sheet will be written too */
} br_output_params;

/* Names the files and checks that they could be written now. Errors: BR_ERROR_ARGUMENT for an extension other than .png,
 * BR_ERROR_IO as br_image_check_path. On failure *out_output is zeroed. */
BR_MUST_CHECK br_status br_output_init(br_call *call, const br_output_params *params, br_output *out_output);
void br_output_finish(br_output *output);

#endif
