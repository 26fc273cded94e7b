#include "cli/command.h"

static br_status run(br_call *call)
{
    if (call->argc == 0 || call->argv[0][0] == '-') {
        br_print_overview(stdout);
        return NULL;
    }
    const br_command *command = br_command_find(call->argv[0]);
    if (!command)
        return br_wrong_usage(call, "there is no command \"%s\"; \"brume help\" lists what there is", call->argv[0]);
    if (command == call->command) {
        br_print_overview(stdout);
        return NULL;
    }
    /* The same as "brume COMMAND --help". */
    char help[] = "--help", *arguments[] = {help, NULL};
    br_call other = {.command = command, .argc = 1, .argv = arguments};
    return command->run(&other);
}

const br_command br_cmd_help = {
    .name = "help",
    .summary = "print this text, or the help of a command: brume help COMMAND",
    .synopsis = "[COMMAND]",
    .run = run,
};
