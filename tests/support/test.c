#include "support/test.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void br_test_expect(br_status status, br_code code, const char *text, const char *expr, const char *file, int line)
{
    br_code actual = br_status_code(status);
    if (actual != code || !strstr(br_status_message(status), text)) {
        print_error("%s: got code %d, \"%s\"; expected code %d and \"%s\"\n", expr, actual, br_status_message(status), code, text);
        br_status_free(status);
        _fail(file, line);
    }
    br_status_free(status);
}

const char *br_test_path(const char *relative)
{
    static char paths[8][512];
    static int next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", BRUME_SOURCE_DIR, relative);
    return path;
}

double br_test_relative_error(const float *a, const double *b, size_t count)
{
    double error = 0, norm = 0;
    for (size_t i = 0; i < count; i++) {
        double d = (double)a[i] - b[i];
        error += d * d;
        norm += b[i] * b[i];
    }
    double relative = norm > 0 ? sqrt(error / norm) : sqrt(error);
    return isfinite(relative) ? relative : INFINITY;
}

double br_test_relative_error_f32(const float *a, const float *b, size_t count)
{
    double error = 0, norm = 0;
    for (size_t i = 0; i < count; i++) {
        double d = (double)a[i] - b[i];
        error += d * d;
        norm += (double)b[i] * b[i];
    }
    double relative = norm > 0 ? sqrt(error / norm) : sqrt(error);
    return isfinite(relative) ? relative : INFINITY;
}
