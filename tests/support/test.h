/* What every test includes: cmocka plus checks for br_status. */
#ifndef BR_TEST_H
#define BR_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/status.h"

/* The exit code that CTest counts as skipped. */
#define BR_TEST_SKIP 77

/* Fails with the message of `expr` when it is an error. */
#define assert_status_ok(expr)                                                  \
    do {                                                                        \
        br_status br_test_status_ = (expr);                                     \
        if (br_test_status_) {                                                  \
            print_error("%s: %s\n", #expr, br_status_message(br_test_status_)); \
            br_status_free(br_test_status_);                                    \
            fail();                                                             \
        }                                                                       \
    } while (0)

/* Fails unless `expr` is an error with this code whose message contains `text`. */
#define assert_status(expr, code, text) br_test_expect((expr), (code), (text), #expr, __FILE__, __LINE__)

void br_test_expect(br_status status, br_code code, const char *text, const char *expr, const char *file, int line);

/* A path of the source tree ("tests/data/x.npy"), valid until the next 8 calls. */
const char *br_test_path(const char *relative);

/* ‖a - b‖ / ‖b‖ over `count` elements, in double; infinity when anything is not finite. */
double br_test_relative_error(const float *a, const double *b, size_t count);
double br_test_relative_error_f32(const float *a, const float *b, size_t count);

#endif
