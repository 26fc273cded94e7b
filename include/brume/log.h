/* Messages for a person. */
#ifndef BRUME_LOG_H
#define BRUME_LOG_H

typedef enum br_log_level { BR_LOG_ERROR, BR_LOG_WARNING, BR_LOG_INFO, BR_LOG_DEBUG } br_log_level;

/* One line without a newline; may be called from any thread. */
typedef void (*br_log_callback)(void *user, br_log_level level, const char *message);

#endif
