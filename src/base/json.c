#include "base/json.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

/* Longest part of a hostile document that a message quotes. */
#define QUOTE_MAX 60

/* jansson recurses once a level, so the depth is measured before it sees the text. Up to the first syntax error this scan and
 * jansson agree on where strings begin and end; after it jansson reads no further. */
static bool too_deep(const char *text, size_t size)
{
    int depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < size; i++) {
        char c = text[i];
        if (quoted) {
            if (c == '\\')
                i++;
            else if (c == '"')
                quoted = false;
        } else if (c == '"') {
            quoted = true;
        } else if (c == '{' || c == '[') {
            if (++depth > BR_JSON_MAX_DEPTH)
                return true;
        } else if (c == '}' || c == ']') {
            depth--;
        }
    }
    return false;
}

/* What Python writes and JSON, or a 64-bit integer, does not hold: infinite floats (diffusers: "lambda_min_clipped": -Infinity) and
 * int(1e30), which transformers means as "no limit" ("model_max_length"). Outside strings, each becomes a number of the same length, so that
 * error positions stay. */
static const struct {
    const char *word, *number;
} python_spellings[] = {
    {"Infinity", "1.79e308"},
    {"1000000000000000019884624838656", "1.00000000000000001988462483e30"},
};

static bool respell(char *text, size_t size)
{
    bool found = false, quoted = false;
    for (size_t i = 0; i < size; i++) {
        if (quoted && text[i] == '\\') {
            i++;
        } else if (text[i] == '"') {
            quoted = !quoted;
        } else if (!quoted && (text[i] == 'I' || text[i] == '1')) {
            for (size_t k = 0; k < sizeof python_spellings / sizeof python_spellings[0]; k++) {
                size_t length = strlen(python_spellings[k].word);
                if (size - i >= length && memcmp(text + i, python_spellings[k].word, length) == 0) {
                    memcpy(text + i, python_spellings[k].number, length);
                    found = true;
                }
            }
        }
    }
    return found;
}

/* A second try for a document that failed because of those alone. */
static json_t *load_python_json(const char *text, size_t size)
{
    json_t *root = NULL;
    char *copy = malloc(size + 1);
    if (copy) {
        memcpy(copy, text, size);
        if (respell(copy, size))
            root = json_loadb(copy, size, JSON_REJECT_DUPLICATES, NULL);
        free(copy);
    }
    return root;
}

br_status br_json_parse(const char *text, size_t size, const char *what, json_t **out_root)
{
    *out_root = NULL;
    if (too_deep(text, size))
        return br_fail(BR_ERROR_FORMAT, "%s: JSON is nested deeper than %d levels", what, BR_JSON_MAX_DEPTH);
    json_error_t error;
    *out_root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
    if (!*out_root &&
        (json_error_code(&error) == json_error_invalid_syntax || json_error_code(&error) == json_error_numeric_overflow))
        *out_root = load_python_json(text, size);
    if (*out_root)
        return NULL;
    if (json_error_code(&error) == json_error_out_of_memory)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "%s: out of host memory", what);
    return br_fail(BR_ERROR_FORMAT, "%s: invalid JSON at line %d column %d: %s", what, error.line, error.column, error.text);
}

br_status br_json_read(const char *path, size_t max_size, json_t **out_root)
{
    *out_root = NULL;
    char *text;
    size_t size;
    BR_TRY(br_file_read(path, max_size, &text, &size));
    br_status status = br_json_parse(text, size, path, out_root);
    free(text);
    return status;
}

/* Where the string that begins at `at` ends, behind its closing quote. */
static size_t skip_string(const char *text, size_t size, size_t at)
{
    for (at++; at < size && text[at] != '"'; at++)
        at += text[at] == '\\';
    return at < size ? at + 1 : size;
}

static size_t skip_space(const char *text, size_t size, size_t at)
{
    while (at < size && strchr(" \t\r\n", text[at]) && text[at])
        at++;
    return at;
}

/* Where the value that begins at `at` ends: at a comma or a bracket of the level around it. */
static size_t skip_value(const char *text, size_t size, size_t at)
{
    int depth = 0;
    while (at < size) {
        char c = text[at];
        if (depth == 0 && (c == ',' || c == '}' || c == ']'))
            break;
        depth += (c == '{' || c == '[') - (c == '}' || c == ']');
        at = c == '"' ? skip_string(text, size, at) : at + 1;
    }
    return at;
}

br_status br_json_parse_member(const char *text, size_t size, const char *key, const char *what, json_t **out_value)
{
    *out_value = NULL;
    size_t at = skip_space(text, size, 0), length = strlen(key);
    if (at == size || text[at] != '{')
        return br_fail(BR_ERROR_FORMAT, "%s: expected a JSON object", what);
    do {
        at = skip_space(text, size, at + 1);
        if (at == size || text[at] != '"')
            break;
        size_t name = at + 1;
        at = skip_string(text, size, at);
        bool found = at - name == length + 1 && memcmp(text + name, key, length) == 0;
        at = skip_space(text, size, at);
        if (at == size || text[at] != ':')
            return br_fail(BR_ERROR_FORMAT, "%s: invalid JSON at byte %zu, expected ':'", what, at);
        size_t value = skip_space(text, size, at + 1);
        at = skip_value(text, size, value);
        if (found)
            return br_json_parse(text + value, at - value, what, out_value);
    } while (at < size && text[at] == ',');
    return NULL;
}

/* The member, or NULL where the fallback applies. */
static br_status find(const json_t *object, const char *what, const char *key, const json_t **out_value)
{
    *out_value = NULL;
    if (!json_is_object(object))
        return br_fail(BR_ERROR_FORMAT, "%s: expected a JSON object with a member \"%s\"", what, key);
    const json_t *value = json_object_get(object, key);
    if (value && !json_is_null(value))
        *out_value = value;
    return NULL;
}

static br_status wrong(const json_t *value, const char *what, const char *key, const char *expected)
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    br_status status =
        br_fail(BR_ERROR_FORMAT, "%s: \"%s\" is %.*s, expected %s", what, key, QUOTE_MAX, text ? text : "?", expected);
    free(text);
    return status;
}

br_status br_json_int(const json_t *object, const char *what, const char *key, int64_t min, int64_t max, int64_t fallback,
                      int64_t *out_value)
{
    *out_value = fallback;
    const json_t *value;
    BR_TRY(find(object, what, key, &value));
    if (!value)
        return NULL;
    if (!json_is_integer(value))
        return wrong(value, what, key, "an integer");
    int64_t number = json_integer_value(value);
    if (number < min || number > max)
        return br_fail(BR_ERROR_FORMAT, "%s: \"%s\" is %" PRId64 ", expected %" PRId64 " to %" PRId64, what, key, number, min, max);
    *out_value = number;
    return NULL;
}

br_status br_json_double(const json_t *object, const char *what, const char *key, double fallback, double *out_value)
{
    *out_value = fallback;
    const json_t *value;
    BR_TRY(find(object, what, key, &value));
    if (!value)
        return NULL;
    if (!json_is_number(value))
        return wrong(value, what, key, "a number");
    *out_value = json_number_value(value);
    return NULL;
}

br_status br_json_bool(const json_t *object, const char *what, const char *key, bool fallback, bool *out_value)
{
    *out_value = fallback;
    const json_t *value;
    BR_TRY(find(object, what, key, &value));
    if (!value)
        return NULL;
    if (!json_is_boolean(value))
        return wrong(value, what, key, "true or false");
    *out_value = json_is_true(value);
    return NULL;
}

br_status br_json_string(const json_t *object, const char *what, const char *key, const char *fallback, const char **out_value)
{
    *out_value = fallback;
    const json_t *value;
    BR_TRY(find(object, what, key, &value));
    if (!value)
        return NULL;
    if (!json_is_string(value))
        return wrong(value, what, key, "a string");
    *out_value = json_string_value(value);
    return NULL;
}
