#include "weights/gguf.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

/* Longest name or key that messages quote. */
#define NAME "\"%.200s\""
/* Longest name of a tensor and of a metadata entry: the format's own limit for keys. */
#define NAME_BYTES_MAX 65535
/* The fewest bytes that describe an entry (an empty key, a bool) and a tensor (an empty name, no dimensions). */
#define ENTRY_BYTES_MIN 13
#define TENSOR_BYTES_MIN 24
/* Far more than any model has: what many small ones would cost in host memory. */
#define ENTRIES_MAX 1000000
#define TENSORS_MAX 1000000

/* enum ggml_type, as far as it has names: what is not supported is refused by its own. */
static const struct {
    const char *name;
    int dtype; /* br_weight_dtype, or -1 */
} tensor_types[] = {
    [0] = {"F32", BR_WEIGHT_F32},
    [1] = {"F16", BR_WEIGHT_F16},
    [2] = {"Q4_0", BR_WEIGHT_Q4_0},
    [3] = {"Q4_1", BR_WEIGHT_Q4_1},
    [6] = {"Q5_0", BR_WEIGHT_Q5_0},
    [7] = {"Q5_1", BR_WEIGHT_Q5_1},
    [8] = {"Q8_0", BR_WEIGHT_Q8_0},
    [9] = {"Q8_1", -1},
    [10] = {"Q2_K", BR_WEIGHT_Q2_K},
    [11] = {"Q3_K", BR_WEIGHT_Q3_K},
    [12] = {"Q4_K", BR_WEIGHT_Q4_K},
    [13] = {"Q5_K", BR_WEIGHT_Q5_K},
    [14] = {"Q6_K", BR_WEIGHT_Q6_K},
    [15] = {"Q8_K", -1},
    [16] = {"IQ2_XXS", -1},
    [17] = {"IQ2_XS", -1},
    [18] = {"IQ3_XXS", -1},
    [19] = {"IQ1_S", -1},
    [20] = {"IQ4_NL", -1},
    [21] = {"IQ3_S", -1},
    [22] = {"IQ2_S", -1},
    [23] = {"IQ4_XS", -1},
    [24] = {"I8", BR_WEIGHT_I8},
    [25] = {"I16", BR_WEIGHT_I16},
    [26] = {"I32", BR_WEIGHT_I32},
    [27] = {"I64", BR_WEIGHT_I64},
    [28] = {"F64", BR_WEIGHT_F64},
    [29] = {"IQ1_M", -1},
    [30] = {"BF16", BR_WEIGHT_BF16},
    [34] = {"TQ1_0", -1},
    [35] = {"TQ2_0", -1},
    [39] = {"MXFP4", -1},
};
#define TENSOR_TYPE_COUNT (sizeof tensor_types / sizeof tensor_types[0])

/* Bytes of a value; 0 for strings and arrays, whose size is in the file. */
static const uint8_t value_bytes[BR_GGUF_TYPE_COUNT] = {
    [BR_GGUF_U8] = 1,  [BR_GGUF_I8] = 1,   [BR_GGUF_U16] = 2, [BR_GGUF_I16] = 2, [BR_GGUF_U32] = 4, [BR_GGUF_I32] = 4,
    [BR_GGUF_F32] = 4, [BR_GGUF_BOOL] = 1, [BR_GGUF_U64] = 8, [BR_GGUF_I64] = 8, [BR_GGUF_F64] = 8,
};

int br_gguf_tensor_type(br_weight_dtype dtype)
{
    for (size_t i = 0; i < TENSOR_TYPE_COUNT; i++)
        if (tensor_types[i].name && tensor_types[i].dtype == (int)dtype)
            return (int)i;
    return -1;
}

/* ---- reading ---- */

typedef struct cursor {
    const uint8_t *bytes;
    size_t at, size;
    const char *file;
} cursor;

typedef struct text {
    const uint8_t *bytes;
    size_t size;
} text;

static br_status ends_early(const cursor *c, const char *what)
{
    return br_fail(BR_ERROR_FORMAT, "%s: the file ends at byte %zu, inside %s (truncated file?)", c->file, c->size, what);
}

static br_status read_number(cursor *c, int bytes, const char *what, uint64_t *out_value)
{
    if ((size_t)bytes > c->size - c->at)
        return ends_early(c, what);
    *out_value = 0;
    for (int i = 0; i < bytes; i++)
        *out_value |= (uint64_t)c->bytes[c->at + (size_t)i] << 8 * i;
    c->at += (size_t)bytes;
    return NULL;
}

static br_status skip(cursor *c, uint64_t bytes, const char *what)
{
    if (bytes > c->size - c->at)
        return ends_early(c, what);
    c->at += (size_t)bytes;
    return NULL;
}

static br_status read_text(cursor *c, const char *what, text *out_text)
{
    uint64_t size;
    BR_TRY(read_number(c, 8, what, &size));
    *out_text = (text){.bytes = c->bytes + c->at, .size = (size_t)size};
    return skip(c, size, what);
}

/* A key or a tensor's name as a C string, which the caller frees: one line of UTF-8. */
static br_status read_name(cursor *c, const char *what, char **out_name)
{
    text t;
    BR_TRY(read_text(c, what, &t));
    if (t.size == 0 || t.size > NAME_BYTES_MAX)
        return br_fail(BR_ERROR_FORMAT, "%s: %s of %zu bytes, expected 1 to %d", c->file, what, t.size, NAME_BYTES_MAX);
    for (size_t i = 0; i < t.size; i++)
        if (t.bytes[i] < ' ' || t.bytes[i] == 0x7f)
            return br_fail(BR_ERROR_FORMAT, "%s: %s at byte %zu has the control character %d", c->file, what, c->at - t.size,
                           t.bytes[i]);
    json_t *checked = json_stringn((const char *)t.bytes, t.size); /* NULL unless it is UTF-8 */
    if (!checked)
        return br_fail(BR_ERROR_FORMAT, "%s: %s at byte %zu is not UTF-8", c->file, what, c->at - t.size);
    *out_name = strdup(json_string_value(checked));
    json_decref(checked);
    return *out_name ? NULL : br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "%s: out of host memory", c->file);
}

/* ---- metadata ---- */

static br_status skip_array(cursor *c, const char *key)
{
    uint64_t type, count;
    BR_TRY(read_number(c, 4, "a metadata array", &type));
    BR_TRY(read_number(c, 8, "a metadata array", &count));
    if (type >= BR_GGUF_TYPE_COUNT || type == BR_GGUF_ARRAY)
        return br_fail(BR_ERROR_FORMAT, "%s: metadata " NAME " is an array of the unknown type %" PRIu64, c->file, key, type);
    if (type != BR_GGUF_STRING) {
        if (count > SIZE_MAX / 8)
            return ends_early(c, "a metadata array");
        return skip(c, count * value_bytes[type], "a metadata array");
    }
    text unused;
    for (uint64_t i = 0; i < count; i++)
        BR_TRY(read_text(c, "a metadata array", &unused));
    return NULL;
}

static br_status read_entry(br_weights *weights, cursor *c)
{
    char *key;
    uint64_t type;
    BR_TRY(read_name(c, "a metadata key", &key));
    br_metadata entry = {.key = key, .file = c->file};
    json_t *words = NULL;
    br_status status = NULL;
    BR_TRY_GOTO(read_number(c, 4, "a metadata type", &type));
    if (type >= BR_GGUF_TYPE_COUNT)
        BR_FAIL_GOTO(BR_ERROR_FORMAT, "%s: metadata " NAME " has the unknown type %" PRIu64, c->file, key, type);
    entry.gguf_type = (int)type;
    entry.value = c->bytes + c->at;
    size_t begin = c->at;
    if (type == BR_GGUF_ARRAY) {
        BR_TRY_GOTO(skip_array(c, key));
    } else if (type == BR_GGUF_STRING) {
        text t;
        BR_TRY_GOTO(read_text(c, "a metadata string", &t));
        words = json_stringn((const char *)t.bytes, t.size);
        if (words && strlen(json_string_value(words)) == t.size)
            entry.text = json_string_value(words);
    } else {
        BR_TRY_GOTO(skip(c, value_bytes[type], "a metadata value"));
    }
    entry.size = c->at - begin;
    BR_TRY_GOTO(br_weights_add_metadata(weights, &entry));
fail:
    json_decref(words);
    free(key);
    return status;
}

static int compare_keys(const void *a, const void *b)
{
    return strcmp(((const br_metadata *)a)->key, ((const br_metadata *)b)->key);
}

/* The entries of one file, by key. */
typedef struct entry_list {
    br_metadata *items; /* owned */
    size_t count;
} entry_list;

static br_status read_metadata(br_weights *weights, cursor *c, uint64_t count, entry_list *out_list)
{
    int first = br_weights_metadata_count(weights);
    for (uint64_t i = 0; i < count; i++)
        BR_TRY(read_entry(weights, c));
    out_list->count = (size_t)count;
    out_list->items = malloc((out_list->count + 1) * sizeof *out_list->items);
    if (!out_list->items)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "%s: out of host memory for %zu metadata entries", c->file, out_list->count);
    for (size_t i = 0; i < out_list->count; i++)
        out_list->items[i] = *br_weights_metadata_at(weights, first + (int)i);
    if (out_list->count)
        qsort(out_list->items, out_list->count, sizeof *out_list->items, compare_keys);
    for (size_t i = 1; i < out_list->count; i++)
        if (strcmp(out_list->items[i - 1].key, out_list->items[i].key) == 0)
            return br_fail(BR_ERROR_FORMAT, "%s: metadata " NAME " occurs twice", c->file, out_list->items[i].key);
    return NULL;
}

static const br_metadata *find_entry(const entry_list *list, const char *key)
{
    const br_metadata wanted = {.key = key};
    return list->count ? bsearch(&wanted, list->items, list->count, sizeof wanted, compare_keys) : NULL;
}

static br_status read_alignment(const entry_list *list, const char *file, uint64_t *out_alignment)
{
    *out_alignment = BR_GGUF_ALIGNMENT;
    const br_metadata *entry = find_entry(list, "general.alignment");
    if (!entry)
        return NULL;
    if (entry->gguf_type != BR_GGUF_U32)
        return br_fail(BR_ERROR_FORMAT, "%s: metadata \"general.alignment\" is not a 32-bit number", file);
    cursor c = {.bytes = entry->value, .size = entry->size, .file = file};
    BR_TRY(read_number(&c, 4, "general.alignment", out_alignment));
    if (*out_alignment == 0 || (*out_alignment & (*out_alignment - 1)) != 0)
        return br_fail(BR_ERROR_FORMAT, "%s: general.alignment is %" PRIu64 ", expected a power of two", file, *out_alignment);
    return NULL;
}

/* ---- tensors ---- */

static br_status set_dimension(br_tensor_view *view, int i, uint64_t size)
{
    if (size > INT64_MAX || size > SIZE_MAX || (size && view->count > SIZE_MAX / size))
        return br_fail(BR_ERROR_FORMAT, "%s: tensor " NAME ": the product of its dimensions overflows", view->file, view->name);
    view->shape[i] = (int64_t)size;
    view->count *= (size_t)size;
    return NULL;
}

static br_status read_shape(cursor *c, br_tensor_view *view)
{
    uint64_t rank, size;
    BR_TRY(read_number(c, 4, "a tensor's shape", &rank));
    if (rank > BR_GGUF_RANK_MAX)
        return br_fail(BR_ERROR_UNSUPPORTED, "%s: tensor " NAME " has %" PRIu64 " dimensions, expected at most %d", c->file,
                       view->name, rank, BR_GGUF_RANK_MAX);
    view->rank = (int)rank;
    view->count = 1;
    for (int i = view->rank - 1; i >= 0; i--) { /* the innermost comes first */
        BR_TRY(read_number(c, 8, "a tensor's shape", &size));
        BR_TRY(set_dimension(view, i, size));
    }
    return NULL;
}

static br_status read_type(cursor *c, br_tensor_view *view)
{
    uint64_t type;
    BR_TRY(read_number(c, 4, "a tensor's type", &type));
    if (type >= TENSOR_TYPE_COUNT || !tensor_types[type].name)
        return br_fail(BR_ERROR_UNSUPPORTED, "%s: tensor " NAME " has the unknown type %" PRIu64, c->file, view->name, type);
    if (tensor_types[type].dtype < 0)
        return br_fail(BR_ERROR_UNSUPPORTED, "%s: tensor " NAME " has the type %s, which is not supported", c->file, view->name,
                       tensor_types[type].name);
    view->dtype = (br_weight_dtype)tensor_types[type].dtype;
    size_t block = br_weight_dtype_block(view->dtype), size = br_weight_dtype_size(view->dtype);
    int64_t row = view->rank ? view->shape[view->rank - 1] : 1;
    if (row % (int64_t)block != 0)
        return br_fail(BR_ERROR_FORMAT, "%s: tensor " NAME " has rows of %" PRId64 " elements, expected a multiple of %zu for %s",
                       c->file, view->name, row, block, tensor_types[type].name);
    if (view->count / block > SIZE_MAX / size)
        return br_fail(BR_ERROR_FORMAT, "%s: tensor " NAME ": its size in bytes overflows", c->file, view->name);
    view->size = view->count / block * size;
    return NULL;
}

/* The shape that a flattened tensor had. */
static br_status restore_shape(const entry_list *list, br_tensor_view *view)
{
    char key[sizeof BR_GGUF_ORIGINAL_SHAPE + 200];
    if (snprintf(key, sizeof key, BR_GGUF_ORIGINAL_SHAPE "%s", view->name) >= (int)sizeof key)
        return NULL;
    const br_metadata *entry = find_entry(list, key);
    if (!entry)
        return NULL;
    uint64_t type, rank, size;
    cursor c = {.bytes = entry->value, .size = entry->size, .file = view->file};
    if (entry->gguf_type != BR_GGUF_ARRAY)
        return br_fail(BR_ERROR_FORMAT, "%s: metadata " NAME " is not an array", view->file, key);
    BR_TRY(read_number(&c, 4, key, &type));
    BR_TRY(read_number(&c, 8, key, &rank));
    bool integers = type <= BR_GGUF_I32 || type == BR_GGUF_U64 || type == BR_GGUF_I64;
    if (!integers || rank > BR_WEIGHT_RANK_MAX)
        return br_fail(BR_ERROR_FORMAT, "%s: metadata " NAME " is not a shape of at most %d dimensions", view->file, key,
                       BR_WEIGHT_RANK_MAX);
    size_t count = view->count;
    view->rank = (int)rank;
    view->count = 1;
    for (int i = 0; i < view->rank; i++) {
        BR_TRY(read_number(&c, value_bytes[type], key, &size));
        BR_TRY(set_dimension(view, i, size));
    }
    if (view->count != count)
        return br_fail(BR_ERROR_FORMAT, "%s: metadata " NAME " is the shape of %zu elements, but the tensor has %zu", view->file,
                       key, view->count, count);
    return NULL;
}

/* Where one tensor lies in the data section. */
typedef struct span {
    uint64_t begin, end;
    const char *name; /* owned */
} span;

static br_status read_tensor(cursor *c, const entry_list *list, uint64_t alignment, br_tensor_view *out_view, span *out_span)
{
    *out_view = (br_tensor_view){.name = out_span->name, .file = c->file};
    BR_TRY(read_shape(c, out_view));
    BR_TRY(read_type(c, out_view));
    BR_TRY(read_number(c, 8, "a tensor's offset", &out_span->begin));
    if (out_span->begin % alignment != 0)
        return br_fail(BR_ERROR_FORMAT,
                       "%s: tensor " NAME " begins at byte %" PRIu64 " of the data, expected a multiple of %" PRIu64, c->file,
                       out_view->name, out_span->begin, alignment);
    if (out_span->begin > SIZE_MAX - out_view->size)
        return br_fail(BR_ERROR_FORMAT, "%s: tensor " NAME ": its end overflows", c->file, out_view->name);
    out_span->end = out_span->begin + out_view->size;
    return restore_shape(list, out_view);
}

static int compare_spans(const void *a, const void *b)
{
    const span *x = a, *y = b;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    return (x->end > y->end) - (x->end < y->end);
}

static br_status check_overlaps(span *spans, size_t count, const char *file)
{
    if (count)
        qsort(spans, count, sizeof *spans, compare_spans);
    for (size_t i = 1; i < count; i++)
        if (spans[i].begin < spans[i - 1].end)
            return br_fail(BR_ERROR_FORMAT, "%s: tensor " NAME " overlaps tensor " NAME " at byte %" PRIu64 " of the data", file,
                           spans[i].name, spans[i - 1].name, spans[i].begin);
    return NULL;
}

/* Offsets count from the data's first byte, which is known once everything else has been read. */
static br_status place_tensors(br_weights *weights, const cursor *c, uint64_t alignment, br_tensor_view *views, const span *spans,
                               size_t count)
{
    uint64_t data = (c->at + (alignment - 1)) & ~(alignment - 1);
    uint64_t room = data < c->size ? c->size - data : 0;
    for (size_t i = 0; i < count; i++) {
        if (views[i].size && spans[i].end > room)
            return br_fail(BR_ERROR_FORMAT,
                           "%s: tensor " NAME " ends at byte %" PRIu64 " of the data, which has %" PRIu64
                           " bytes (truncated file?)",
                           c->file, views[i].name, spans[i].end, room);
        views[i].data = c->bytes + (views[i].size ? data + spans[i].begin : 0);
        BR_TRY(br_weights_add(weights, &views[i]));
    }
    return NULL;
}

static br_status read_tensors(br_weights *weights, cursor *c, const entry_list *list, size_t count)
{
    uint64_t alignment;
    BR_TRY(read_alignment(list, c->file, &alignment));
    br_status status = NULL;
    br_tensor_view *views = malloc((count + 1) * sizeof *views);
    span *spans = calloc(count + 1, sizeof *spans);
    if (!views || !spans)
        BR_FAIL_GOTO(BR_ERROR_OUT_OF_HOST_MEMORY, "%s: out of host memory for %zu tensors", c->file, count);
    for (size_t i = 0; i < count; i++) {
        char *name;
        BR_TRY_GOTO(read_name(c, "a tensor's name", &name));
        spans[i].name = name;
        BR_TRY_GOTO(read_tensor(c, list, alignment, &views[i], &spans[i]));
    }
    BR_TRY_GOTO(place_tensors(weights, c, alignment, views, spans, count));
    status = check_overlaps(spans, count, c->file);
fail:
    for (size_t i = 0; spans && i < count; i++)
        free((char *)(uintptr_t)spans[i].name);
    free(spans);
    free(views);
    return status;
}

/* ---- files ---- */

static br_status read_counts(cursor *c, uint64_t *out_tensors, uint64_t *out_entries)
{
    uint64_t version;
    if (c->size < 4 || memcmp(c->bytes, "GGUF", 4) != 0)
        return br_fail(BR_ERROR_FORMAT, "%s: not a GGUF file", c->file);
    c->at = 4;
    BR_TRY(read_number(c, 4, "the header", &version));
    if (version != 2 && version != 3)
        return br_fail(BR_ERROR_UNSUPPORTED, "%s: GGUF version %" PRIu64 "%s, expected 2 or 3", c->file, version,
                       version & 0xffff ? "" : " (a big-endian file?)");
    BR_TRY(read_number(c, 8, "the header", out_tensors));
    BR_TRY(read_number(c, 8, "the header", out_entries));
    size_t room = c->size - c->at;
    if (*out_entries > room / ENTRY_BYTES_MIN || *out_entries > ENTRIES_MAX)
        return br_fail(BR_ERROR_FORMAT, "%s: %" PRIu64 " metadata entries are too many for %zu bytes", c->file, *out_entries, room);
    if (*out_tensors > room / TENSOR_BYTES_MIN || *out_tensors > TENSORS_MAX)
        return br_fail(BR_ERROR_FORMAT, "%s: %" PRIu64 " tensors are too many for %zu bytes", c->file, *out_tensors, room);
    return NULL;
}

br_status br_gguf_parse(br_weights *weights, const uint8_t *bytes, size_t size, const char *file)
{
    cursor c = {.bytes = bytes, .size = size, .file = file};
    entry_list list = {0};
    uint64_t tensors, entries;
    br_status status = NULL;
    BR_TRY(read_counts(&c, &tensors, &entries));
    BR_TRY_GOTO(read_metadata(weights, &c, entries, &list));
    BR_TRY_GOTO(read_tensors(weights, &c, &list, (size_t)tensors));
fail:
    free(list.items);
    return status;
}

br_status br_gguf_open(const char *path, br_weights **out_weights)
{
    return br_weights_open(path, br_gguf_parse, out_weights);
}
