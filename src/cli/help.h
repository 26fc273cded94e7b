/* --help of a command, made from its table of options. */
#ifndef BR_CLI_HELP_H
#define BR_CLI_HELP_H

#include "cli/options.h"

void br_print_help(FILE *stream, const br_command *command, const br_options *options);

#endif
