/* The command line: a table of commands, and what is the same for all of them. The locale is never set, so numbers are read and written as
 * in C everywhere, and arguments pass as the bytes they are. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "brume/brume.h"
#include "cli/command.h"
#include "cli/suggest.h"

/* Exit codes. */
enum { EXIT_DONE = 0, EXIT_ERROR = 1, EXIT_WRONG_USAGE = 2 };

static const br_command *const commands[] = {
    &br_cmd_txt2img, &br_cmd_img2img, &br_cmd_inpaint, &br_cmd_forward, &br_cmd_devices, &br_cmd_inspect,
    &br_cmd_convert, &br_cmd_bench,   &br_cmd_profile, &br_cmd_shaders, &br_cmd_tune,    &br_cmd_help,
};
#define COMMAND_COUNT (int)(sizeof commands / sizeof commands[0])

const br_command *br_command_list(int index)
{
    return index >= 0 && index < COMMAND_COUNT ? commands[index] : NULL;
}

static const char *command_name(int index)
{
    return index < COMMAND_COUNT ? commands[index]->name : NULL;
}

const br_command *br_command_find(const char *name)
{
    for (int i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}

br_status br_wrong_usage(br_call *call, const char *format, ...)
{
    char message[512];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    call->wrong_usage = true;
    return br_fail(BR_ERROR_ARGUMENT, "%s", message);
}

void br_print_overview(FILE *stream)
{
    fprintf(stream, "Brume %s turns words into pictures, on any Vulkan device.\n\nUsage: brume COMMAND [options]\n\nCommands:\n",
            br_version());
    for (int i = 0; i < COMMAND_COUNT; i++)
        fprintf(stream, "  %-10s %s\n", commands[i]->name, commands[i]->summary);
    fputs("\nTo begin with:\n"
          "  brume txt2img \"a red apple\"\n"
          "  brume txt2img --help\n",
          stream);
}

static br_status unknown_command(br_call *call, const char *name)
{
    const char *nearest = br_suggest(name, command_name);
    if (name[0] == '-')
        return br_wrong_usage(call, "unknown option %s; options stand after the command: brume COMMAND [options]", name);
    if (nearest)
        return br_wrong_usage(call, "there is no command \"%s\"; did you mean \"%s\"?", name, nearest);
    return br_wrong_usage(call, "there is no command \"%s\"; \"brume help\" lists what there is", name);
}

static br_status run(br_call *call, int argc, char **argv)
{
    const char *name = argv[1];
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) {
        printf("brume %s\n", br_version());
        return NULL;
    }
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        name = "help";
    call->command = br_command_find(name);
    if (!call->command)
        return unknown_command(call, name);
    call->argc = argc - 2;
    call->argv = argv + 2;
    return call->command->run(call);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        br_print_overview(stderr);
        return EXIT_WRONG_USAGE;
    }
    br_call call = {0};
    br_status status = run(&call, argc, argv);
    /* Results that did not reach their reader are an error like any other. */
    if ((fflush(stdout) || ferror(stdout)) && !status)
        status = br_fail(BR_ERROR_IO, "cannot write to standard output");
    if (!status)
        return EXIT_DONE;
    if (br_status_code(status) == BR_ERROR_CANCELLED)
        fputs("brume: error: interrupted\n", stderr);
    else
        fprintf(stderr, "brume: error: %s\n", br_status_message(status));
    br_status_free(status);
    return call.wrong_usage ? EXIT_WRONG_USAGE : EXIT_ERROR;
}
