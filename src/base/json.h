/* JSON documents (jansson) read with errors that name file and key. Nesting deeper than BR_JSON_MAX_DEPTH, duplicate keys and
 * numbers that do not fit are errors, so hostile headers stop here. */
#ifndef BR_BASE_JSON_H
#define BR_BASE_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

#define BR_JSON_MAX_DEPTH 64

/* Parses `size` bytes. Python's word Infinity is read as 1.79e308, transformers' integer 10³⁰ ("no limit") as a
 * real number. `what` names the document in messages ("unet/config.json"). The caller owns *out_root (json_decref). */
BR_MUST_CHECK br_status br_json_parse(const char *text, size_t size, const char *what, json_t **out_root);
/* Reads and parses a file of at most `max_size` bytes. */
BR_MUST_CHECK br_status br_json_read(const char *path, size_t max_size, json_t **out_root);

/* One member of the outermost object, which must be an object or an array, without parsing the others: for large documents of which little
 * is wanted. *out_value is NULL when there is no such member. The text behind it is not looked at. */
BR_MUST_CHECK br_status br_json_parse_member(const char *text, size_t size, const char *key, const char *what, json_t **out_value);

/* Members of an object. A missing or null key gives `fallback`; a wrong type or range is BR_ERROR_FORMAT naming `what` and the key. */
BR_MUST_CHECK br_status br_json_int(const json_t *object, const char *what, const char *key, int64_t min, int64_t max,
                                    int64_t fallback, int64_t *out_value);
BR_MUST_CHECK br_status br_json_double(const json_t *object, const char *what, const char *key, double fallback, double *out_value);
BR_MUST_CHECK br_status br_json_bool(const json_t *object, const char *what, const char *key, bool fallback, bool *out_value);
/* *out_value is borrowed from the document (or is `fallback`). */
BR_MUST_CHECK br_status br_json_string(const json_t *object, const char *what, const char *key, const char *fallback,
                                       const char **out_value);

#endif
