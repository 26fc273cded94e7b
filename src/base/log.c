#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

/* Longer messages are cut; every message is one line. */
#define LOG_LINE_MAX 1024

void br_log_printf(const br_log *log, br_log_level level, const char *format, ...)
{
    if (!log || !log->write || level > log->level)
        return;
    char line[LOG_LINE_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    log->write(log->user, level, line);
}
