#include "pipeline/embeddings.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "pipeline/model.h"
#include "weights/weight_file.h"

static_assert(BR_MODEL_TEXT_MAX == 2, "an embedding has vectors for two text encoders");

static void finish_embedding(br_embedding *embedding)
{
    free(embedding->name);
    for (int i = 0; i < BR_MODEL_TEXT_MAX; i++) {
        free(embedding->ids[i].items);
        free(embedding->vectors[i]);
    }
    *embedding = (br_embedding){0};
}

void br_embeddings_finish(br_embeddings *embeddings)
{
    for (int i = 0; i < embeddings->count; i++)
        finish_embedding(&embeddings->items[i]);
    free(embeddings->items);
    *embeddings = (br_embeddings){0};
}

/* ---- one file ---- */

/* The vectors for one encoder of SDXL's kind (`xl`) or of Stable Diffusion 1 and 2. NULL when they are not there. */
static const br_tensor_view *find_vectors(const br_weights *weights, br_component component, bool xl)
{
    if (xl)
        return br_weights_find(weights, component == BR_COMPONENT_TEXT_2 ? "clip_g" : "clip_l");
    static const char *const names[] = {"emb_params", "string_to_param.*"};
    for (int i = 0; i < 2; i++) {
        const br_tensor_view *view = br_weights_find(weights, names[i]);
        if (view)
            return view;
    }
    return br_weights_count(weights) == 1 ? br_weights_at(weights, 0) : NULL;
}

static bool is_float(br_weight_dtype dtype)
{
    return dtype == BR_WEIGHT_F32 || dtype == BR_WEIGHT_F16 || dtype == BR_WEIGHT_BF16 || dtype == BR_WEIGHT_F64;
}

static br_status describe_missing(const br_model *model, const br_weights *weights, br_component component, const char *path)
{
    char shape[64] = "no tensor";
    const br_tensor_view *first = br_weights_count(weights) ? br_weights_at(weights, 0) : NULL;
    if (first)
        br_weight_shape_text(first, shape, sizeof shape);
    return br_fail(BR_ERROR_FORMAT, "%s has %.100s %s, expected %s [n, %d] for %s's %s", path, first ? first->name : "", shape,
                   model->pooled == 0                 ? "emb_params"
                   : component == BR_COMPONENT_TEXT_2 ? "clip_g"
                                                      : "clip_l",
                   model->text[component].config.hidden_size, model->name, model->parts[component].name);
}

static br_status read_vectors(const br_model *model, const br_weights *weights, br_component component, const char *path,
                              br_embedding *embedding)
{
    char shape[64];
    const br_model_text *text = &model->text[component];
    const br_tensor_view *view = find_vectors(weights, component, model->pooled > 0);
    if (!view)
        return describe_missing(model, weights, component, path);
    br_weight_shape_text(view, shape, sizeof shape);
    int64_t width = view->rank >= 1 ? view->shape[view->rank - 1] : 0, count = view->rank == 2 ? view->shape[0] : 1;
    if (view->rank < 1 || view->rank > 2 || !is_float(view->dtype))
        return br_fail(BR_ERROR_FORMAT, "%s: %.100s is %s %s, expected floats [n, %d]", path, view->name,
                       br_weight_dtype_name(view->dtype), shape, text->config.hidden_size);
    if (width != text->config.hidden_size)
        return br_fail(BR_ERROR_FORMAT, "%s: %.100s is %s, vectors of %lld numbers; expected %d, the width of %s's %s", path,
                       view->name, shape, (long long)width, text->config.hidden_size, model->name, model->parts[component].name);
    int room = br_clip_bpe_length(text->tokenizer) - 2;
    if (count < 1 || count > room)
        return br_fail(BR_ERROR_FORMAT, "%s: %.100s is %s, expected 1 to %d vectors", path, view->name, shape, room);
    if (embedding->count && count != embedding->count)
        return br_fail(BR_ERROR_FORMAT, "%s: clip_l has %d vectors and clip_g %lld, expected as many", path, embedding->count,
                       (long long)count);
    embedding->count = (int)count;
    embedding->vectors[component] = malloc(view->count * sizeof *embedding->vectors[component]);
    if (!embedding->vectors[component])
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "%s: out of host memory for %zu numbers", path, view->count);
    br_weight_to_f32(view, 0, view->count, embedding->vectors[component]);
    return NULL;
}

static br_status read_file(const br_model *model, const char *path, br_embedding *embedding)
{
    br_weights *weights;
    const char *format;
    BR_TRY(br_weight_file_open(path, &weights, &format));
    br_status status = NULL;
    for (int i = 0; i < BR_MODEL_TEXT_MAX && !status; i++)
        if (br_model_has(model, (br_component)i))
            status = read_vectors(model, weights, (br_component)i, path, embedding);
    br_weights_destroy(weights);
    return status;
}

/* "b" of "a/b.safetensors". malloc'd; NULL when out of memory. */
static char *stem(const char *path)
{
    const char *slash = strrchr(path, '/'), *begin = slash ? slash + 1 : path, *dot = strrchr(begin, '.');
    size_t length = dot && dot > begin ? (size_t)(dot - begin) : strlen(begin);
    char *name = malloc(length + 1);
    if (name) {
        memcpy(name, begin, length);
        name[length] = '\0';
    }
    return name;
}

static br_status read_name(const br_model *model, br_embedding *embedding)
{
    for (int i = 0; i < BR_MODEL_TEXT_MAX; i++) {
        if (!br_model_has(model, (br_component)i))
            continue;
        BR_TRY(br_clip_bpe_encode(model->text[i].tokenizer, embedding->name, strlen(embedding->name), &embedding->ids[i]));
        if (!embedding->ids[i].count)
            return br_fail(BR_ERROR_ARGUMENT, "no prompt can hold the name \"%.100s\" of an embedding", embedding->name);
    }
    return NULL;
}

/* ---- all of them ---- */

/* Takes *embedding over. */
static br_status insert(br_embeddings *all, br_embedding *embedding)
{
    int at = 0;
    while (at < all->count && strcmp(all->items[at].name, embedding->name) != 0)
        at++;
    if (at == all->count) {
        br_embedding *items = realloc(all->items, (size_t)(all->count + 1) * sizeof *items);
        if (!items)
            return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory for an embedding");
        all->items = items;
        all->items[all->count++] = (br_embedding){0};
    }
    finish_embedding(&all->items[at]);
    all->items[at] = *embedding;
    *embedding = (br_embedding){0};
    all->vectors = 0;
    for (int i = 0; i < all->count; i++) {
        all->items[i].first = all->vectors;
        all->vectors += all->items[i].count;
    }
    return NULL;
}

br_status br_embeddings_add(br_model *model, const char *name, const char *path)
{
    br_status status = NULL;
    br_embedding embedding = {.name = name ? strdup(name) : stem(path)};
    if (!embedding.name)
        BR_FAIL_GOTO(BR_ERROR_OUT_OF_HOST_MEMORY, "%s: out of host memory", path);
    BR_TRY_GOTO(read_name(model, &embedding));
    BR_TRY_GOTO(read_file(model, path, &embedding));
    BR_TRY_GOTO(insert(&model->embeddings, &embedding));
fail:
    finish_embedding(&embedding);
    return status;
}

static bool is_embedding_name(const char *name)
{
    static const char *const endings[] = {".safetensors", ".pt", ".bin", ".ckpt"};
    size_t length = strlen(name);
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        size_t end = strlen(endings[i]);
        if (length > end && strcmp(name + length - end, endings[i]) == 0)
            return true;
    }
    return false;
}

br_status br_embeddings_add_folder(br_model *model, const char *folder)
{
    br_file_names names;
    BR_TRY(br_dir_list(folder, &names));
    br_status status = NULL;
    for (int i = 0; i < names.count; i++) {
        if (!is_embedding_name(names.items[i]))
            continue;
        char *path = br_path_join(folder, names.items[i]);
        if (!path)
            BR_FAIL_GOTO(BR_ERROR_OUT_OF_HOST_MEMORY, "%s: out of host memory", folder);
        br_status problem = br_embeddings_add(model, NULL, path);
        if (problem)
            br_log_printf(&model->log, BR_LOG_INFO, "%s", br_status_message(problem));
        br_status_free(problem);
        free(path);
    }
fail:
    br_file_names_finish(&names);
    return status;
}
