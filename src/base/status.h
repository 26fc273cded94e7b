/* How errors are made and handed on inside the library. See brume/status.h for what a br_status is. */
#ifndef BR_BASE_STATUS_H
#define BR_BASE_STATUS_H

#include "brume/status.h"

#if defined(__GNUC__)
#define BR_PRINTF(format_index, first_arg) __attribute__((format(printf, format_index, first_arg)))
/* Lets the compiler see that a function which returned NULL has set its outputs. */
#define BR_NEVER_NULL __attribute__((returns_nonnull))
#else
#define BR_PRINTF(format_index, first_arg)
#define BR_NEVER_NULL
#endif

/* A new error, owned by the caller. Falls back to a static "out of host memory" error when it cannot be allocated.
 * `code` must not be BR_OK. */
BR_MUST_CHECK BR_NEVER_NULL br_status br_fail(br_code code, const char *format, ...) BR_PRINTF(2, 3);

/* Puts "prefix: " before the message of `status`; consumes it and returns the replacement. NULL stays NULL. */
BR_MUST_CHECK br_status br_status_prefix(br_status status, const char *format, ...) BR_PRINTF(2, 3);

/* Returns from the enclosing function when `expr` fails. */
#define BR_TRY(expr)                       \
    do {                                   \
        br_status br_try_status_ = (expr); \
        if (br_try_status_)                \
            return br_try_status_;         \
    } while (0)

/* For functions with a `br_status status` variable and one `fail:` label. */
#define BR_TRY_GOTO(expr) \
    do {                  \
        status = (expr);  \
        if (status)       \
            goto fail;    \
    } while (0)

#define BR_FAIL_GOTO(...)              \
    do {                               \
        status = br_fail(__VA_ARGS__); \
        goto fail;                     \
    } while (0)

#endif
