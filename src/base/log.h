/* Messages for a person. A br_log is a borrowed callback plus a threshold; NULL is a log that drops everything.
 * stdout is never used: results go there, and only from cli/. */
#ifndef BR_BASE_LOG_H
#define BR_BASE_LOG_H

#include "base/status.h"
#include "brume/log.h"

typedef struct br_log {
    br_log_callback write;
    void *user;         /* borrowed */
    br_log_level level; /* messages above it are dropped */
} br_log;

void br_log_printf(const br_log *log, br_log_level level, const char *format, ...) BR_PRINTF(3, 4);

#endif
