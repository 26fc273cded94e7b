#include "weights/ckpt.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "weights/pickle.h"
#include "weights/zip.h"

/* Dicts in dicts; a model's are two deep. */
#define DEPTH_MAX 6
/* Tensors and dicts looked at: dicts may be shared, so that few bytes could describe very many. */
#define VISITS_MAX 1000000
#define NAME_MAX_BYTES 512
#define NAME "\"%.200s\""

typedef struct reading {
    br_weights *weights;
    const br_zip *zip;
    const char *file;
    char root[NAME_MAX_BYTES]; /* folder of the archive's members, with its slash */
    int visits;
} reading;

static const uint8_t legacy_magic[] = {0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e};

static bool is_legacy(const uint8_t *bytes, size_t size)
{
    return size >= sizeof legacy_magic && memcmp(bytes, legacy_magic, sizeof legacy_magic) == 0;
}

bool br_ckpt_recognise(const uint8_t *bytes, size_t size)
{
    return is_legacy(bytes, size) || (size >= 4 && memcmp(bytes, "PK\3\4", 4) == 0);
}

/* Row-major without gaps; the stride of a dimension of one element is of no account. */
static bool is_contiguous(const br_pickle_tensor *tensor)
{
    int64_t expected = 1;
    for (int i = tensor->rank - 1; i >= 0; i--) {
        if (tensor->shape[i] != 1 && tensor->stride[i] != expected)
            return false;
        expected *= tensor->shape[i];
    }
    return true;
}

static br_status add_tensor(reading *it, const br_pickle_tensor *tensor, const char *name)
{
    char key[NAME_MAX_BYTES + 64];
    br_tensor_view view = {.name = name, .file = it->file, .dtype = tensor->dtype, .rank = tensor->rank, .count = 1};
    for (int i = 0; i < tensor->rank; i++) {
        view.shape[i] = tensor->shape[i];
        uint64_t size = (uint64_t)tensor->shape[i];
        if (size > SIZE_MAX || (size && view.count > SIZE_MAX / size))
            return br_fail(BR_ERROR_FORMAT, "%s: tensor " NAME ": the product of its dimensions overflows", it->file, name);
        view.count *= (size_t)size;
    }
    size_t element = br_weight_dtype_size(tensor->dtype);
    snprintf(key, sizeof key, "%sdata/%.40s", it->root, tensor->storage->text);
    const br_zip_member *member = br_zip_find(it->zip, key);
    if (!member)
        return br_fail(BR_ERROR_FORMAT, "%s: tensor " NAME ": the archive has no member " NAME, it->file, name, key);
    if ((uint64_t)tensor->offset > member->size / element || view.count > member->size / element - (size_t)tensor->offset) {
        char shape[200];
        return br_fail(BR_ERROR_FORMAT, "%s: tensor " NAME " %s %s from element %" PRId64 " goes beyond its %zu bytes", it->file,
                       name, br_weight_dtype_name(view.dtype), br_weight_shape_text(&view, shape, sizeof shape), tensor->offset,
                       member->size);
    }
    if (view.count && !is_contiguous(tensor))
        return br_fail(BR_ERROR_UNSUPPORTED, "%s: tensor " NAME " is not stored row by row, expected it contiguous", it->file,
                       name);
    view.data = member->data + (size_t)tensor->offset * element;
    view.size = view.count * element;
    return br_weights_add(it->weights, &view);
}

static br_status add_dict(reading *it, const br_pickle_value *dict, const char *prefix, int depth);

/* The items of a torch.nn.ParameterDict are an attribute of it. */
static const br_pickle_value *items_of(const br_pickle_value *value)
{
    if (value->type != BR_PICKLE_OBJECT)
        return value->type == BR_PICKLE_DICT ? value : NULL;
    const br_pickle_value *parameters = br_pickle_get(value, "_parameters");
    return parameters && parameters->type == BR_PICKLE_DICT ? parameters : NULL;
}

static br_status add_value(reading *it, const br_pickle_value *value, const char *name, int depth)
{
    if (++it->visits > VISITS_MAX)
        return br_fail(BR_ERROR_FORMAT, "%s: the pickle has too many items", it->file);
    if (value->type == BR_PICKLE_TENSOR)
        return add_tensor(it, value->tensor, name);
    const br_pickle_value *items = items_of(value);
    return items && depth < DEPTH_MAX ? add_dict(it, items, name, depth + 1) : NULL;
}

/* A later item takes the place of an earlier one of the same key; torch writes none. */
static br_status add_dict(reading *it, const br_pickle_value *dict, const char *prefix, int depth)
{
    char name[NAME_MAX_BYTES];
    for (size_t i = 0; i + 1 < dict->count; i += 2) {
        const br_pickle_value *key = dict->items[i];
        if (key->type == BR_PICKLE_INT)
            snprintf(name, sizeof name, "%s%s%" PRId64, prefix, prefix[0] ? "." : "", key->number);
        else if (key->type != BR_PICKLE_TEXT)
            continue;
        else if ((size_t)snprintf(name, sizeof name, "%s%s%s", prefix, prefix[0] ? "." : "", key->text) >= sizeof name)
            return br_fail(BR_ERROR_UNSUPPORTED, "%s: the name " NAME " is too long", it->file, name);
        BR_TRY(add_value(it, dict->items[i + 1], name, depth));
    }
    return NULL;
}

/* The archive's one pickle: "NAME/data.pkl". */
static br_status find_pickle(reading *it, const br_zip_member **out_pickle)
{
    static const char end[] = "data.pkl";
    for (size_t i = 0; i < it->zip->count; i++) {
        const char *name = it->zip->members[i].name, *slash = strrchr(name, '/');
        size_t length = slash ? (size_t)(slash - name) + 1 : 0;
        if (strcmp(name + length, end) == 0 && length < sizeof it->root) {
            memcpy(it->root, name, length);
            it->root[length] = '\0';
            *out_pickle = &it->zip->members[i];
            return NULL;
        }
    }
    return br_fail(BR_ERROR_FORMAT, "%s is a ZIP archive without data.pkl, expected one that torch.save wrote", it->file);
}

static br_status check_byte_order(const reading *it)
{
    char name[NAME_MAX_BYTES + 16];
    snprintf(name, sizeof name, "%sbyteorder", it->root);
    const br_zip_member *order = br_zip_find(it->zip, name);
    if (order && (order->size != 6 || memcmp(order->data, "little", 6) != 0))
        return br_fail(BR_ERROR_UNSUPPORTED, "%s was written on a big-endian machine", it->file);
    return NULL;
}

static br_status parse(br_arena *arena, br_weights *weights, const uint8_t *bytes, size_t size, const char *file)
{
    br_zip zip;
    reading it = {.weights = weights, .zip = &zip, .file = file};
    const br_zip_member *pickle;
    const br_pickle_value *root;
    BR_TRY(br_zip_init(arena, bytes, size, file, &zip));
    BR_TRY(find_pickle(&it, &pickle));
    BR_TRY(check_byte_order(&it));
    BR_TRY(br_pickle_read(arena, pickle->data, pickle->size, file, &root));
    if (root->type == BR_PICKLE_TENSOR)
        return add_tensor(&it, root->tensor, "tensor");
    if (!items_of(root))
        return br_fail(BR_ERROR_UNSUPPORTED, "%s holds no dict of tensors", file);
    const br_pickle_value *model = br_pickle_get(root, "state_dict");
    return add_dict(&it, model && items_of(model) ? items_of(model) : items_of(root), "", 0);
}

br_status br_ckpt_parse(br_weights *weights, const uint8_t *bytes, size_t size, const char *file)
{
    if (is_legacy(bytes, size))
        return br_fail(BR_ERROR_UNSUPPORTED, "%s was saved by torch before 1.6: load it with a newer one and torch.save it again",
                       file);
    br_arena arena = {0};
    br_status status = parse(&arena, weights, bytes, size, file);
    br_arena_finish(&arena);
    return status;
}

br_status br_ckpt_open(const char *path, br_weights **out_weights)
{
    return br_weights_open(path, br_ckpt_parse, out_weights);
}
