#include "weights/weights.h"

#include <inttypes.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

typedef struct mapping {
    struct mapping *next; /* in the arena */
    br_file_map map;      /* owned */
} mapping;

typedef struct source {
    struct source *next; /* in the arena */
    br_weights *weights; /* one reference */
} source;

struct br_weights {
    atomic_int references;
    br_arena arena; /* names, paths, mappings, sources */
    mapping *mappings;
    source *sources;
    br_tensor_view *views; /* owned; sorted by name once sealed */
    size_t count, capacity;
    br_metadata *entries; /* owned */
    size_t entry_count, entry_capacity;
};

br_weights *br_weights_create(void)
{
    br_weights *weights = calloc(1, sizeof *weights);
    if (weights)
        atomic_init(&weights->references, 1);
    return weights;
}

void br_weights_destroy(br_weights *weights)
{
    if (!weights || atomic_fetch_sub(&weights->references, 1) > 1)
        return;
    for (source *s = weights->sources; s; s = s->next)
        br_weights_destroy(s->weights);
    for (mapping *m = weights->mappings; m; m = m->next)
        br_file_map_finish(&m->map);
    free(weights->views);
    free(weights->entries);
    br_arena_finish(&weights->arena);
    free(weights);
}

/* The mapping that holds the tensor, its own or of what it borrows from, or NULL. */
static const br_file_map *find_mapping(const br_weights *weights, const br_tensor_view *view)
{
    uintptr_t begin = (uintptr_t)view->data, end = begin + view->size;
    for (const mapping *m = weights->mappings; m; m = m->next)
        if (begin >= (uintptr_t)m->map.data && end <= (uintptr_t)m->map.data + m->map.size)
            return &m->map;
    for (const source *s = weights->sources; s; s = s->next) {
        const br_file_map *map = find_mapping(s->weights, view);
        if (map)
            return map;
    }
    return NULL;
}

void br_weights_expect(const br_weights *weights, const br_tensor_view *view)
{
    const br_file_map *map = find_mapping(weights, view);
    if (map)
        br_file_map_expect(map, (size_t)((const uint8_t *)view->data - map->data), view->size);
}

void br_weights_release(const br_weights *weights, const br_tensor_view *view)
{
    const br_file_map *map = find_mapping(weights, view);
    if (map)
        br_file_map_release(map, (size_t)((const uint8_t *)view->data - map->data), view->size);
}

br_status br_weights_add_file(br_weights *weights, const char *path, br_weights_parser *parse)
{
    br_file_map map;
    BR_TRY(br_file_map_init(path, &map));
    mapping *m = br_arena_alloc(&weights->arena, sizeof *m);
    char *copy = br_arena_strdup(&weights->arena, path);
    if (!m || !copy) {
        br_file_map_finish(&map);
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "%s: out of host memory", path);
    }
    *m = (mapping){.next = weights->mappings, .map = map};
    weights->mappings = m;
    return parse(weights, map.data, map.size, copy);
}

br_status br_weights_open(const char *path, br_weights_parser *parse, br_weights **out_weights)
{
    *out_weights = NULL;
    br_weights *weights = br_weights_create();
    if (!weights)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "%s: out of host memory", path);
    br_status status = br_weights_add_file(weights, path, parse);
    if (!status)
        status = br_weights_seal(weights);
    if (status) {
        br_weights_destroy(weights);
        return status;
    }
    *out_weights = weights;
    return NULL;
}

br_status br_weights_borrow(br_weights *weights, br_weights *from)
{
    source *s = br_arena_alloc(&weights->arena, sizeof *s);
    if (!s)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory for the weights of a model");
    atomic_fetch_add(&from->references, 1);
    *s = (source){.next = weights->sources, .weights = from};
    weights->sources = s;
    return NULL;
}

void *br_weights_alloc(br_weights *weights, size_t size)
{
    return br_arena_alloc(&weights->arena, size);
}

br_status br_weights_add(br_weights *weights, const br_tensor_view *view)
{
    if (weights->count == INT_MAX)
        return br_fail(BR_ERROR_UNSUPPORTED, "%s: more than %d tensors", view->file, INT_MAX);
    if (weights->count == weights->capacity) {
        size_t capacity = weights->capacity ? weights->capacity * 2 : 256;
        br_tensor_view *views = realloc(weights->views, capacity * sizeof *views);
        if (!views)
            return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "%s: out of host memory for %zu tensors", view->file, capacity);
        weights->views = views;
        weights->capacity = capacity;
    }
    const char *name = br_arena_strdup(&weights->arena, view->name);
    if (!name)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "%s: out of host memory", view->file);
    weights->views[weights->count] = *view;
    weights->views[weights->count++].name = name;
    return NULL;
}

br_status br_weights_add_metadata(br_weights *weights, const br_metadata *entry)
{
    if (weights->entry_count == INT_MAX)
        return br_fail(BR_ERROR_UNSUPPORTED, "%s: more than %d metadata entries", entry->file, INT_MAX);
    if (weights->entry_count == weights->entry_capacity) {
        size_t capacity = weights->entry_capacity ? weights->entry_capacity * 2 : 16;
        br_metadata *entries = realloc(weights->entries, capacity * sizeof *entries);
        if (!entries)
            return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "%s: out of host memory for %zu metadata entries", entry->file, capacity);
        weights->entries = entries;
        weights->entry_capacity = capacity;
    }
    br_metadata *copy = &weights->entries[weights->entry_count];
    *copy = *entry;
    copy->key = br_arena_strdup(&weights->arena, entry->key);
    copy->text = entry->text ? br_arena_strdup(&weights->arena, entry->text) : NULL;
    if (!copy->key || (entry->text && !copy->text))
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "%s: out of host memory", entry->file);
    weights->entry_count++;
    return NULL;
}

int br_weights_metadata_count(const br_weights *weights)
{
    return (int)weights->entry_count;
}

const br_metadata *br_weights_metadata_at(const br_weights *weights, int index)
{
    return &weights->entries[index];
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const br_tensor_view *)a)->name, ((const br_tensor_view *)b)->name);
}

br_status br_weights_seal(br_weights *weights)
{
    if (weights->count)
        qsort(weights->views, weights->count, sizeof *weights->views, compare_names);
    for (size_t i = 1; i < weights->count; i++) {
        const br_tensor_view *a = &weights->views[i - 1], *b = &weights->views[i];
        if (strcmp(a->name, b->name) == 0)
            return br_fail(BR_ERROR_FORMAT, "tensor \"%.200s\" is both in %s and in %s", a->name, a->file, b->file);
    }
    return NULL;
}

const br_tensor_view *br_weights_find(const br_weights *weights, const char *name)
{
    if (!weights->count)
        return NULL;
    const br_tensor_view key = {.name = name};
    return bsearch(&key, weights->views, weights->count, sizeof key, compare_names);
}

int br_weights_count(const br_weights *weights)
{
    return (int)weights->count;
}

const br_tensor_view *br_weights_at(const br_weights *weights, int index)
{
    return &weights->views[index];
}

char *br_weight_shape_text(const br_tensor_view *view, char *text, size_t size)
{
    size_t used = (size_t)snprintf(text, size, "[");
    for (int i = 0; i < view->rank && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, i ? ", %" PRId64 : "%" PRId64, view->shape[i]);
    if (used < size)
        snprintf(text + used, size - used, "]");
    return text;
}
