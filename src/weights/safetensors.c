#include "weights/safetensors.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

/* The limit of the reference implementation. */
#define HEADER_MAX ((uint64_t)100 * 1000 * 1000)
/* Longest tensor name that messages quote. */
#define NAME "\"%.200s\""

/* Where one tensor lies in the data section. */
typedef struct span {
    uint64_t begin, end;
    const char *name; /* borrowed from the JSON document */
} span;

static br_status parse_shape(const json_t *shape, const char *file, br_tensor_view *view)
{
    if (!json_is_array(shape))
        return br_fail(BR_ERROR_FORMAT, "%s: tensor " NAME " has no \"shape\" array", file, view->name);
    if (json_array_size(shape) > BR_WEIGHT_RANK_MAX)
        return br_fail(BR_ERROR_UNSUPPORTED, "%s: tensor " NAME " has %zu dimensions, expected at most %d", file, view->name,
                       json_array_size(shape), BR_WEIGHT_RANK_MAX);
    view->rank = (int)json_array_size(shape);
    view->count = 1;
    for (int i = 0; i < view->rank; i++) {
        const json_t *dim = json_array_get(shape, (size_t)i);
        if (!json_is_integer(dim))
            return br_fail(BR_ERROR_FORMAT, "%s: tensor " NAME ": dimension %d is not an integer", file, view->name, i);
        view->shape[i] = json_integer_value(dim);
        if (view->shape[i] < 0)
            return br_fail(BR_ERROR_FORMAT, "%s: tensor " NAME ": dimension %d is %" PRId64 ", expected 0 or more", file,
                           view->name, i, view->shape[i]);
        uint64_t size = (uint64_t)view->shape[i];
        if (size > SIZE_MAX || (size && view->count > SIZE_MAX / size))
            return br_fail(BR_ERROR_FORMAT, "%s: tensor " NAME ": the product of its dimensions overflows", file, view->name);
        view->count *= (size_t)size;
    }
    size_t element = br_weight_dtype_size(view->dtype);
    if (view->count > SIZE_MAX / element)
        return br_fail(BR_ERROR_FORMAT, "%s: tensor " NAME ": its size in bytes overflows", file, view->name);
    view->size = view->count * element;
    return NULL;
}

static br_status parse_offsets(const json_t *offsets, const char *file, uint64_t room, const br_tensor_view *view, span *out_span)
{
    const json_t *first = json_array_get(offsets, 0), *second = json_array_get(offsets, 1);
    if (json_array_size(offsets) != 2 || !json_is_integer(first) || !json_is_integer(second))
        return br_fail(BR_ERROR_FORMAT, "%s: tensor " NAME ": \"data_offsets\" is not a pair of integers", file, view->name);
    int64_t begin = json_integer_value(first), end = json_integer_value(second);
    if (begin < 0 || end < begin)
        return br_fail(BR_ERROR_FORMAT,
                       "%s: tensor " NAME ": data_offsets are [%" PRId64 ", %" PRId64 "], expected 0 <= begin <= end", file,
                       view->name, begin, end);
    if ((uint64_t)end > room)
        return br_fail(BR_ERROR_FORMAT,
                       "%s: tensor " NAME " ends at byte %" PRId64 " of the data, which has %" PRIu64 " bytes (truncated file?)",
                       file, view->name, end, room);
    if ((uint64_t)(end - begin) != view->size) {
        char shape[200];
        return br_fail(BR_ERROR_FORMAT, "%s: tensor " NAME " holds %" PRId64 " bytes, expected %zu for %s %s", file, view->name,
                       end - begin, view->size, br_weight_dtype_name(view->dtype), br_weight_shape_text(view, shape, sizeof shape));
    }
    *out_span = (span){.begin = (uint64_t)begin, .end = (uint64_t)end, .name = view->name};
    return NULL;
}

static br_status parse_tensor(const char *name, const json_t *entry, const char *file, uint64_t room, br_tensor_view *out_view,
                              span *out_span)
{
    *out_view = (br_tensor_view){.name = name, .file = file};
    if (!json_is_object(entry))
        return br_fail(BR_ERROR_FORMAT, "%s: tensor " NAME " is not described by a JSON object", file, name);
    const char *dtype = json_string_value(json_object_get(entry, "dtype"));
    if (!dtype)
        return br_fail(BR_ERROR_FORMAT, "%s: tensor " NAME " has no \"dtype\"", file, name);
    if (!br_weight_dtype_parse(dtype, &out_view->dtype) || br_weight_dtype_block(out_view->dtype) != 1)
        return br_fail(BR_ERROR_UNSUPPORTED, "%s: tensor " NAME " has the unknown dtype \"%.40s\"", file, name, dtype);
    BR_TRY(parse_shape(json_object_get(entry, "shape"), file, out_view));
    return parse_offsets(json_object_get(entry, "data_offsets"), file, room, out_view, out_span);
}

static br_status read_metadata(br_weights *weights, const json_t *metadata, const char *file)
{
    if (!json_is_object(metadata))
        return br_fail(BR_ERROR_FORMAT, "%s: \"__metadata__\" is not a JSON object", file);
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)metadata, key, value)
    {
        if (!json_is_string(value))
            return br_fail(BR_ERROR_FORMAT, "%s: \"__metadata__\" member \"%.100s\" is not a string", file, key);
        BR_TRY(br_weights_add_metadata(weights, &(br_metadata){.key = key, .file = file, .text = json_string_value(value)}));
    }
    return NULL;
}

static int compare_spans(const void *a, const void *b)
{
    const span *x = a, *y = b;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    return (x->end > y->end) - (x->end < y->end);
}

/* The format forbids both holes and overlaps: sorted, every tensor begins where the one before it ended. */
static br_status check_layout(span *spans, size_t count, const char *file, uint64_t room)
{
    if (count)
        qsort(spans, count, sizeof *spans, compare_spans);
    uint64_t at = 0;
    for (size_t i = 0; i < count; i++) {
        if (spans[i].begin < at)
            return br_fail(BR_ERROR_FORMAT, "%s: tensor " NAME " overlaps tensor " NAME " at byte %" PRIu64 " of the data", file,
                           spans[i].name, spans[i - 1].name, spans[i].begin);
        if (spans[i].begin > at)
            return br_fail(BR_ERROR_FORMAT,
                           "%s: no tensor covers bytes %" PRIu64 " to %" PRIu64 " of the data, before tensor " NAME, file, at,
                           spans[i].begin, spans[i].name);
        at = spans[i].end;
    }
    if (at != room)
        return br_fail(BR_ERROR_FORMAT, "%s: %" PRIu64 " bytes of data, expected %" PRIu64 " for its tensors", file, room, at);
    return NULL;
}

static br_status parse_header(br_weights *weights, const json_t *root, const char *file, const uint8_t *data, uint64_t room)
{
    if (!json_is_object(root))
        return br_fail(BR_ERROR_FORMAT, "%s: the safetensors header is not a JSON object", file);
    size_t count = 0;
    br_status status = NULL;
    span *spans = malloc((json_object_size(root) + 1) * sizeof *spans);
    if (!spans)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "%s: out of host memory for %zu tensors", file, json_object_size(root));
    const char *name;
    json_t *entry;
    json_object_foreach((json_t *)(uintptr_t)root, name, entry)
    {
        if (strcmp(name, "__metadata__") == 0) {
            BR_TRY_GOTO(read_metadata(weights, entry, file));
            continue;
        }
        br_tensor_view view;
        BR_TRY_GOTO(parse_tensor(name, entry, file, room, &view, &spans[count]));
        view.data = data + spans[count].begin;
        BR_TRY_GOTO(br_weights_add(weights, &view));
        count++;
    }
    status = check_layout(spans, count, file, room);
fail:
    free(spans);
    return status;
}

br_status br_safetensors_parse(br_weights *weights, const uint8_t *bytes, size_t size, const char *file)
{
    if (size < 8)
        return br_fail(BR_ERROR_FORMAT, "%s: %zu bytes are too few for a safetensors file", file, size);
    uint64_t length = 0;
    for (int i = 0; i < 8; i++)
        length |= (uint64_t)bytes[i] << 8 * i;
    if (length > HEADER_MAX)
        return br_fail(BR_ERROR_FORMAT,
                       "%s: safetensors header of %" PRIu64 " bytes, expected at most %" PRIu64 " (not a safetensors file?)", file,
                       length, HEADER_MAX);
    if (length > size - 8)
        return br_fail(BR_ERROR_FORMAT, "%s: safetensors header of %" PRIu64 " bytes, but only %zu follow", file, length, size - 8);
    /* Jansson skips leading white space, the format does not allow it. */
    if (length == 0 || bytes[8] != '{')
        return br_fail(BR_ERROR_FORMAT, "%s: the safetensors header does not begin with '{'", file);
    json_t *root;
    BR_TRY(br_json_parse((const char *)bytes + 8, (size_t)length, file, &root));
    br_status status = parse_header(weights, root, file, bytes + 8 + length, size - 8 - length);
    json_decref(root);
    return status;
}

br_status br_safetensors_open(const char *path, br_weights **out_weights)
{
    return br_weights_open(path, br_safetensors_parse, out_weights);
}
