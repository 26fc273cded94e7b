/* Messages for a person. A br_log is a borrowed callback plus a threshold; NULL is a log that drops everything.
 * stdout is never used: results go there, and only from cli/. */
#ifndef BR_BASE_LOG_H
#define BR_BASE_LOG_H

#include "base/status.h"

typedef enum br_log_level { BR_LOG_ERROR, BR_LOG_WARNING, BR_LOG_INFO, BR_LOG_DEBUG } br_log_level;

typedef struct br_log {
    void (*write)(void *user, br_log_level level, const char *message); /* may be called from any thread */
    void *user;                                                         /* borrowed */
    br_log_level level;                                                 /* messages above it are dropped */
} br_log;

void br_log_printf(const br_log *log, br_log_level level, const char *format, ...) BR_PRINTF(3, 4);

#endif
