#include "cli/format.h"

#include <math.h>
#include <stdio.h>

/* Digits of a number in JSON: enough for a time or a rate, short enough to read. */
#define JSON_DIGITS 9

/* Three significant digits, or all of those before the point. */
static int digits_after_point(double value)
{
    return value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
}

const char *br_format_bytes(double bytes, char out_text[BR_FORMAT_SIZE])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    int unit = 0;
    while (bytes >= 1023.5 && unit < 6) {
        bytes /= 1024;
        unit++;
    }
    snprintf(out_text, BR_FORMAT_SIZE, "%.*f %s", unit ? digits_after_point(bytes) : 0, bytes, units[unit]);
    return out_text;
}

const char *br_format_si(double value, const char *unit, char out_text[BR_FORMAT_SIZE])
{
    static const char *const prefixes[] = {"", "k", "M", "G", "T", "P", "E"};
    int prefix = 0;
    while (value >= 999.5 && prefix < 6) {
        value /= 1000;
        prefix++;
    }
    bool whole = prefix == 0 && value == floor(value);
    snprintf(out_text, BR_FORMAT_SIZE, "%.*f %s%s", whole ? 0 : digits_after_point(value), value, prefixes[prefix], unit);
    return out_text;
}

const char *br_format_seconds(double seconds, char out_text[BR_FORMAT_SIZE])
{
    static const char *const units[] = {"s", "ms", "us"};
    int unit = 0;
    while (seconds > 0 && seconds < 0.9995 && unit < 2) {
        seconds *= 1000;
        unit++;
    }
    snprintf(out_text, BR_FORMAT_SIZE, "%.*f %s", digits_after_point(seconds), seconds, units[unit]);
    return out_text;
}

br_status br_print_json(json_t *root)
{
    if (!root)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory for the JSON document");
    int failed = json_dumpf(root, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(JSON_DIGITS));
    json_decref(root);
    if (failed || fputc('\n', stdout) == EOF)
        return br_fail(BR_ERROR_IO, "cannot write to standard output");
    return NULL;
}
