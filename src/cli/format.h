/* Numbers for people, and JSON for programs. */
#ifndef BR_CLI_FORMAT_H
#define BR_CLI_FORMAT_H

#include <stddef.h>

#include "base/json.h"

#define BR_FORMAT_SIZE 32

/* All return `out_text`. "1.2 GiB" */
const char *br_format_bytes(double bytes, char out_text[BR_FORMAT_SIZE]);
/* With a decimal prefix: 1234567890, "FLOP/s" gives "1.23 GFLOP/s". */
const char *br_format_si(double value, const char *unit, char out_text[BR_FORMAT_SIZE]);
/* "12.3 ms" */
const char *br_format_seconds(double seconds, char out_text[BR_FORMAT_SIZE]);

/* Writes the document to stdout, with a newline. Takes over `root`; NULL means that there was no memory for it. */
BR_MUST_CHECK br_status br_print_json(json_t *root);

#endif
