#include "brume/model.h"

#include <stdlib.h>
#include <string.h>

#include "api/context.h"
#include "base/file.h"
#include "base/place.h"
#include "pipeline/architecture.h"
#include "pipeline/memory.h"
#include "pipeline/model.h"
#include "weights/dtype.h"

/* The model in assets that draws when none is named. */
#define DEFAULT_MODEL "models/emoji"

br_status br_model_open(const br_model_params *params, br_model **out_model)
{
    *out_model = NULL;
    const br_log log = {.write = params->log, .user = params->log_user, .level = params->log_level};
    if (params->path && params->architecture)
        return br_fail(BR_ERROR_ARGUMENT, "a model (%s) and an architecture (%s) given, expected one of the two", params->path,
                       params->architecture);
    if (params->architecture)
        return br_model_load_architecture(params->architecture, &log, out_model);
    br_checkpoint_params files = {.path = params->path, .config_path = params->config, .vae_path = params->vae};
    if (params->prediction) {
        files.prediction = strcmp(params->prediction, "v") == 0 ? "v_prediction" : params->prediction;
        bool known = false;
        for (int i = 0; br_prediction_list(i) && !known; i++)
            known = strcmp(params->prediction, br_prediction_list(i)) == 0;
        if (!known)
            return br_fail(BR_ERROR_ARGUMENT, "there is no prediction \"%s\", expected epsilon, v or sample", params->prediction);
    }
    if (params->path)
        return br_model_load(&files, &log, out_model);
    char *path = br_place_asset(DEFAULT_MODEL);
    if (!path)
        return br_fail(BR_ERROR_NOT_FOUND,
                       "the model that comes with Brume was not found, expected it in %s/%s beside the program or in %s/%s",
                       BRUME_INSTALLED_ASSETS, DEFAULT_MODEL, BRUME_ASSETS_DIR, DEFAULT_MODEL);
    files.path = path;
    br_status status = br_model_load(&files, &log, out_model);
    free(path);
    return status;
}

const char *br_prediction_list(int index)
{
    static const char *const names[] = {"epsilon", "v", "sample"};
    return index >= 0 && index < 3 ? names[index] : NULL;
}

const char *br_architecture_list(int index)
{
    return br_architecture_name(index);
}

br_status br_model_add_embedding(br_model *model, const char *name, const char *path)
{
    if (!br_file_is_dir(path))
        return br_embeddings_add(model, name, path);
    if (name)
        return br_fail(BR_ERROR_ARGUMENT, "%s is a folder, expected a file for the embedding \"%s\"", path, name);
    return br_embeddings_add_folder(model, path);
}

void br_model_close(br_model *model)
{
    br_model_unload(model);
}

br_model_defaults br_model_get_defaults(const br_model *model)
{
    return model->defaults;
}

const char *br_model_path(const br_model *model)
{
    return model->path;
}

const char *br_model_family(const br_model *model)
{
    return model->family;
}

const char *br_model_format(const br_model *model)
{
    return model->format;
}

const char *br_model_note(const br_model *model, int index)
{
    return index >= 0 && index < model->odd_count ? model->odd[index] : NULL;
}

const char *br_model_name(const br_model *model)
{
    return model->name;
}

/* Callers count the parts that there are. NULL when there are not that many. */
static const br_model_part *part_at(const br_model *model, int index)
{
    for (int i = 0; i < BR_COMPONENT_COUNT && index >= 0; i++)
        if (br_model_has(model, (br_component)i) && index-- == 0)
            return &model->parts[i];
    return NULL;
}

int br_model_component_count(const br_model *model)
{
    int count = 0;
    while (part_at(model, count))
        count++;
    return count;
}

br_component_info br_model_component(const br_model *model, int component)
{
    br_component_info info = {0};
    const br_model_part *part = part_at(model, component);
    if (!part)
        return info;
    info.name = part->name;
    info.class_name = part->class_name;
    info.path = part->path;
    info.tensor_count = br_weights_count(part->weights);
    for (int i = 0; i < info.tensor_count; i++) {
        const br_tensor_view *view = br_weights_at(part->weights, i);
        info.parameter_count += view->count;
        info.file_bytes += view->size;
    }
    return info;
}

br_tensor_info br_model_tensor(const br_model *model, int component, int tensor)
{
    br_tensor_info info = {0};
    const br_model_part *part = part_at(model, component);
    if (!part || tensor < 0 || tensor >= br_weights_count(part->weights))
        return info;
    const br_tensor_view *view = br_weights_at(part->weights, tensor);
    info.name = view->name;
    info.dtype = br_weight_dtype_name(view->dtype);
    info.rank = view->rank;
    for (int i = 0; i < view->rank; i++)
        info.shape[i] = view->shape[i];
    info.bytes = view->size;
    return info;
}

br_status br_model_memory(const br_model *model, const br_memory_params *params, br_memory_info *out_info)
{
    br_memory_plan_params plan = {
        .model = model,
        .precision = params->precision,
        .width = params->width,
        .height = params->height,
        .batch = params->batch_size,
        .budget = params->memory_budget,
        .vae_tile = params->vae_tile,
    };
    if (params->context) {
        int index;
        const char *problem;
        BR_TRY(br_vk_instance_select(params->context->instance, params->selector, &index));
        plan.caps = br_vk_instance_caps(params->context->instance, index, &problem);
    }
    return br_memory_plan(&plan, out_info);
}
