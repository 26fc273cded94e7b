#include "models/config.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void br_config_init(br_config *config, const json_t *object, const char *what)
{
    *config = (br_config){.what = what};
    if (!json_is_object(object)) {
        config->error = br_fail(BR_ERROR_FORMAT, "%s is not a JSON object", what);
        return;
    }
    config->left = json_copy((json_t *)object);
    if (!config->left)
        config->error = br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory while reading %s", what);
}

/* "[4, 8]" of a value, shortened for a message. */
static void show(const json_t *value, char *text, size_t size)
{
    size_t length = value ? json_dumpb(value, text, size - 1, JSON_ENCODE_ANY) : 0;
    if (length > size - 1)
        length = size - 1;
    text[length] = '\0';
}

br_status br_config_finish(br_config *config)
{
    br_status error = config->error;
    const char *key;
    json_t *value;
    if (!error)
        json_object_foreach(config->left, key, value)
        {
            if (key[0] == '_' || json_is_null(value) || json_is_false(value))
                continue;
            char text[80];
            show(value, text, sizeof text);
            error = br_fail(BR_ERROR_UNSUPPORTED, "%s: %s = %s is not supported", config->what, key, text);
            break;
        }
    json_decref(config->left);
    *config = (br_config){0};
    return error;
}

void br_config_refuse(br_config *config, const char *key, const char *format, ...)
{
    if (config->error)
        return;
    char found[80], expected[256];
    show(json_object_get(config->left, key), found, sizeof found);
    va_list args;
    va_start(args, format);
    vsnprintf(expected, sizeof expected, format, args);
    va_end(args);
    if (found[0])
        config->error = br_fail(BR_ERROR_UNSUPPORTED, "%s: %s = %s, expected %s", config->what, key, found, expected);
    else
        config->error = br_fail(BR_ERROR_UNSUPPORTED, "%s: %s is missing, expected %s", config->what, key, expected);
}

static void drop(br_config *config, const char *key)
{
    if (!config->error)
        json_object_del(config->left, key);
}

void br_config_allow_null(br_config *config, const char *key)
{
    if (!config->error && json_is_null(json_object_get(config->left, key)))
        json_object_del(config->left, key);
}

static void refuse_null(br_config *config, const char *key, const char *expected)
{
    if (!config->error && json_is_null(json_object_get(config->left, key)))
        br_config_refuse(config, key, "%s", expected);
}

int br_config_int(br_config *config, const char *key, int min, int max, int fallback)
{
    int64_t value = fallback;
    refuse_null(config, key, "a whole number");
    if (!config->error)
        config->error = br_json_int(config->left, config->what, key, min, max, fallback, &value);
    drop(config, key);
    return (int)value;
}

double br_config_double(br_config *config, const char *key, double min, double max, double fallback)
{
    double value = fallback;
    refuse_null(config, key, "a number");
    if (!config->error)
        config->error = br_json_double(config->left, config->what, key, fallback, &value);
    if (!config->error && !(value >= min && value <= max))
        br_config_refuse(config, key, "%g to %g", min, max);
    drop(config, key);
    return value;
}

bool br_config_bool(br_config *config, const char *key, bool fallback)
{
    bool value = fallback;
    if (!config->error && json_is_null(json_object_get(config->left, key)))
        value = false;
    else if (!config->error)
        config->error = br_json_bool(config->left, config->what, key, fallback, &value);
    drop(config, key);
    return value;
}

void br_config_string(br_config *config, const char *key, const char *fallback, char *out_text, size_t size)
{
    const char *value = fallback;
    refuse_null(config, key, "a string");
    if (!config->error)
        config->error = br_json_string(config->left, config->what, key, fallback, &value);
    if (!config->error && strlen(value) >= size)
        br_config_refuse(config, key, "at most %zu characters", size - 1);
    snprintf(out_text, size, "%s", config->error ? fallback : value);
    drop(config, key);
}

void br_config_ints(br_config *config, const char *key, int count, int min, int max, int fallback, int *out_values)
{
    for (int i = 0; i < count; i++)
        out_values[i] = fallback;
    if (config->error)
        return;
    const json_t *value = json_object_get(config->left, key);
    if (json_is_array(value) && json_array_size(value) != (size_t)count) {
        br_config_refuse(config, key, "a number or a list of %d", count);
    } else if (!value) {
        if (fallback < min)
            br_config_refuse(config, key, "a number or a list of %d", count);
    } else {
        for (int i = 0; i < count && !config->error; i++) {
            const json_t *item = json_is_array(value) ? json_array_get(value, (size_t)i) : value;
            json_int_t number = json_is_integer(item) ? json_integer_value(item) : (json_int_t)min - 1;
            if (number < min || number > max)
                br_config_refuse(config, key, "whole numbers from %d to %d", min, max);
            else
                out_values[i] = (int)number;
        }
    }
    drop(config, key);
}

void br_config_nested_ints(br_config *config, const br_config_nested *params, int *out_values)
{
    for (int i = 0; i < params->inner; i++)
        out_values[i] = params->fallback;
    const json_t *item = config->error ? NULL : json_object_get(config->left, params->key);
    if (json_is_array(item) && json_array_size(item) != (size_t)params->count) {
        br_config_refuse(config, params->key, "a number or a list of %d", params->count);
        return;
    }
    if (json_is_array(item))
        item = json_array_get(item, (size_t)params->index);
    if (json_is_array(item) && json_array_size(item) < (size_t)params->inner) {
        br_config_refuse(config, params->key, "a number or a list of %d for block %d", params->inner, params->index);
        return;
    }
    for (int i = 0; item && i < params->inner && !config->error; i++) {
        const json_t *value = json_is_array(item) ? json_array_get(item, (size_t)i) : item;
        json_int_t number = json_is_integer(value) ? json_integer_value(value) : (json_int_t)params->min - 1;
        if (number < params->min || number > params->max)
            br_config_refuse(config, params->key, "whole numbers from %d to %d", params->min, params->max);
        else
            out_values[i] = (int)number;
    }
}

void br_config_size(br_config *config, const char *key, int max, int *out_height, int *out_width)
{
    int sides[2] = {0, 0};
    br_config_allow_null(config, key);
    if (!config->error && json_object_get(config->left, key))
        br_config_ints(config, key, 2, 1, max, 0, sides);
    *out_height = sides[0];
    *out_width = sides[1];
}

int br_config_length(br_config *config, const char *key)
{
    return config->error ? 0 : (int)json_array_size(json_object_get(config->left, key));
}

int br_config_name_at(br_config *config, const char *key, int index, const char *const *names)
{
    if (config->error)
        return 0;
    const char *text = json_string_value(json_array_get(json_object_get(config->left, key), (size_t)index));
    for (int i = 0; text && names[i]; i++)
        if (strcmp(text, names[i]) == 0)
            return i;
    char known[200] = "";
    for (int i = 0; names[i]; i++)
        snprintf(known + strlen(known), sizeof known - strlen(known), "%s%s", i ? ", " : "", names[i]);
    br_config_refuse(config, key, "only %s", known);
    return 0;
}

void br_config_expect_bool(br_config *config, const char *key, bool value)
{
    if (br_config_bool(config, key, value) != value && !config->error)
        config->error = br_fail(BR_ERROR_UNSUPPORTED, "%s: %s = %s is not supported, expected %s", config->what, key,
                                value ? "false" : "true", value ? "true" : "false");
}

void br_config_expect_double(br_config *config, const char *key, double value)
{
    double found = br_config_double(config, key, -HUGE_VAL, HUGE_VAL, value);
    if (!config->error && fabs(found - value) > 1e-9)
        config->error = br_fail(BR_ERROR_UNSUPPORTED, "%s: %s = %g is not supported, expected %g", config->what, key, found, value);
}

void br_config_expect_string(br_config *config, const char *key, const char *value)
{
    char found[80];
    br_config_string(config, key, value, found, sizeof found);
    if (!config->error && strcmp(found, value) != 0)
        config->error =
            br_fail(BR_ERROR_UNSUPPORTED, "%s: %s = \"%s\" is not supported, expected \"%s\"", config->what, key, found, value);
}

void br_config_ignore(br_config *config, const char *const *keys)
{
    for (; *keys; keys++)
        drop(config, *keys);
}
