#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct br_error {
    br_code code;
    char message[];
};

/* What is handed out when not even an error can be allocated; br_status_free leaves it alone. */
static struct {
    br_code code;
    char message[20];
} out_of_memory = {BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory"};

br_code br_status_code(br_status status)
{
    return status ? status->code : BR_OK;
}

const char *br_status_message(br_status status)
{
    return status ? status->message : "ok";
}

void br_status_free(br_status status)
{
    if (status != (br_status)(void *)&out_of_memory)
        free(status);
}

/* Messages quote names from files and from the command line; a line break or an escape sequence in one must not reach a terminal. */
static void make_one_line(char *message)
{
    for (; *message; message++)
        if ((unsigned char)*message < 0x20 || *message == 0x7f)
            *message = '?';
}

static br_status make(br_code code, const char *suffix, const char *format, va_list args)
{
    va_list measured;
    va_copy(measured, args);
    int length = vsnprintf(NULL, 0, format, measured);
    va_end(measured);
    size_t tail = suffix ? strlen(suffix) + 2 : 0;
    br_status status = length < 0 ? NULL : malloc(sizeof *status + (size_t)length + tail + 1);
    if (!status)
        return (br_status)(void *)&out_of_memory;
    status->code = code;
    vsnprintf(status->message, (size_t)length + 1, format, args);
    if (suffix) {
        memcpy(status->message + length, ": ", 2);
        memcpy(status->message + length + 2, suffix, tail - 1);
    }
    make_one_line(status->message);
    return status;
}

br_status br_fail(br_code code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    br_status status = make(code, NULL, format, args);
    va_end(args);
    return status;
}

br_status br_status_prefix(br_status status, const char *format, ...)
{
    if (!status)
        return NULL;
    va_list args;
    va_start(args, format);
    br_status prefixed = make(status->code, status->message, format, args);
    va_end(args);
    br_status_free(status);
    return prefixed;
}
