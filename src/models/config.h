/* Reading a model's config.json so that nothing in it is ignored silently: every key is read, expected to have one value, or known to be
 * without effect; br_config_finish refuses whatever is left by name. Errors are sticky: the first one is handed out by br_config_finish. */
#ifndef BR_MODELS_CONFIG_H
#define BR_MODELS_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"

typedef struct br_config {
    json_t *left;     /* owned copy of the object, from which read keys are removed */
    const char *what; /* borrowed: "unet/config.json" */
    br_status error;  /* owned; the first one */
} br_config;

void br_config_init(br_config *config, const json_t *object, const char *what);
/* The first error, or BR_ERROR_UNSUPPORTED naming a key that nobody read and whose value is neither null nor false. Keys with a leading underscore
 * are free. Releases everything. */
BR_MUST_CHECK br_status br_config_finish(br_config *config);

/* Readers give `fallback` for a key that is missing. null is what Python's None does in the libraries: false for br_config_bool, refused by the
 * others; for keys where it means "not given" call br_config_allow_null first. */
void br_config_allow_null(br_config *config, const char *key);
int br_config_int(br_config *config, const char *key, int min, int max, int fallback);
double br_config_double(br_config *config, const char *key, double min, double max, double fallback);
bool br_config_bool(br_config *config, const char *key, bool fallback);
/* Copies at most `size` - 1 bytes; longer values are errors. */
void br_config_string(br_config *config, const char *key, const char *fallback, char *out_text, size_t size);
/* A number for all, or a list of exactly `count` numbers. A missing key gives `fallback`, or an error when that is below `min`. */
void br_config_ints(br_config *config, const char *key, int count, int min, int max, int fallback, int *out_values);
/* A number for all, or a list of `count`, whose items are numbers or lists of `inner` numbers and more: those of item `index`. Whatever lies past `inner` is
 * ignored, as diffusers does. Does not count as reading the key: call br_config_ignore when done. A missing key gives `fallback`. */
typedef struct br_config_nested {
    const char *key;
    int index, count, inner;
    int min, max, fallback;
} br_config_nested;
void br_config_nested_ints(br_config *config, const br_config_nested *params, int *out_values);
/* A side for both, or [height, width]; zeros when the key is missing. */
void br_config_size(br_config *config, const char *key, int max, int *out_height, int *out_width);
/* Length of a list, 0 when the key is missing; does not count as reading it. */
int br_config_length(br_config *config, const char *key);
/* `index` of the list of strings equals one of the NULL-terminated `names`: returns which; other names are refused. Call br_config_ignore when done. */
int br_config_name_at(br_config *config, const char *key, int index, const char *const *names);

/* The key may be missing or have this value; anything else is refused. */
void br_config_expect_bool(br_config *config, const char *key, bool value);
void br_config_expect_double(br_config *config, const char *key, double value);
void br_config_expect_string(br_config *config, const char *key, const char *value);
/* Keys that change nothing here; the list ends with NULL. */
void br_config_ignore(br_config *config, const char *const *keys);
/* Refuses; `format` says what was expected. */
void br_config_refuse(br_config *config, const char *key, const char *format, ...) BR_PRINTF(3, 4);

#endif
