#include "weights/diffusers_dir.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "weights/names.h"
#include "weights/safetensors.h"

/* Configurations are a few kilobytes; an index of shards lists every tensor of a large model. */
#define CONFIG_BYTES_MAX ((size_t)1 << 20)
#define INDEX_BYTES_MAX ((size_t)16 << 20)
/* Names of weight files, in order of preference: diffusers' and transformers', whole or as an index of shards, then those of the only variant in common
 * use, spelled as the two libraries do. */
static const struct {
    const char *name;
    bool index;
} weight_names[] = {
    {"diffusion_pytorch_model.safetensors", false},
    {"diffusion_pytorch_model.safetensors.index.json", true},
    {"model.safetensors", false},
    {"model.safetensors.index.json", true},
    {"diffusion_pytorch_model.fp16.safetensors", false},
    {"diffusion_pytorch_model.safetensors.index.fp16.json", true},
    {"model.fp16.safetensors", false},
    {"model.safetensors.index.fp16.json", true},
};

typedef struct part_kind {
    const char *name;           /* folder, and key of model_index.json */
    const char *class_names[3]; /* those that Brume knows; NULL ends them */
} part_kind;

static const part_kind text_encoder_kind = {"text_encoder", {"CLIPTextModel"}};
static const part_kind text_encoder_2_kind = {"text_encoder_2", {"CLIPTextModelWithProjection"}};
static const part_kind unet_kind = {"unet", {"UNet2DConditionModel"}};
static const part_kind vae_kind = {"vae", {"AutoencoderKL", "AutoencoderTiny"}};
static const part_kind tokenizer_kind = {"tokenizer", {"CLIPTokenizer"}};
static const part_kind tokenizer_2_kind = {"tokenizer_2", {"CLIPTokenizer"}};

/* Pipelines made of these components, for whatever way of drawing. */
static const char *const pipelines[] = {"StableDiffusionPipeline",
                                        "StableDiffusionImg2ImgPipeline",
                                        "StableDiffusionInpaintPipeline",
                                        "StableDiffusionInstructPix2PixPipeline",
                                        "StableDiffusionXLPipeline",
                                        "StableDiffusionXLImg2ImgPipeline",
                                        "StableDiffusionXLInpaintPipeline",
                                        "StableDiffusionXLInstructPix2PixPipeline",
                                        "LatentConsistencyModelPipeline",
                                        "LatentConsistencyModelImg2ImgPipeline",
                                        NULL};

static br_status join(const char *folder, const char *name, char **out_path)
{
    *out_path = br_path_join(folder, name);
    return *out_path ? NULL : br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory while opening %s", folder);
}

/* FOLDER/NAME, which has to exist. */
static br_status require(const char *folder, const char *name, const char *what, char **out_path)
{
    BR_TRY(join(folder, name, out_path));
    if (br_file_exists(*out_path))
        return NULL;
    br_status status = br_fail(BR_ERROR_NOT_FOUND, "the model has no %s, expected %s", what, *out_path);
    free(*out_path);
    *out_path = NULL;
    return status;
}

/* ---- weights ---- */

static br_status add_shard(const char *folder, const char *name, br_weights *weights)
{
    if (strchr(name, '/') || strchr(name, '\\') || strcmp(name, "..") == 0)
        return br_fail(BR_ERROR_FORMAT, "%s: shard \"%s\" is not a plain file name", folder, name);
    char *path;
    BR_TRY(join(folder, name, &path));
    br_status status = br_weights_add_file(weights, path, br_safetensors_parse);
    free(path);
    return status;
}

/* The index maps every tensor to its shard; each shard is opened once. */
static br_status add_shards(const char *folder, const char *index_path, br_weights *weights)
{
    json_t *index = NULL, *seen = NULL;
    br_status status = NULL;
    const char *tensor;
    json_t *shard;
    BR_TRY(br_json_read(index_path, INDEX_BYTES_MAX, &index));
    const json_t *map = json_object_get(index, "weight_map");
    seen = json_object();
    if (!json_is_object(map) || !seen)
        BR_FAIL_GOTO(BR_ERROR_FORMAT, "%s has no object weight_map", index_path);
    json_object_foreach((json_t *)map, tensor, shard)
    {
        const char *name = json_string_value(shard);
        if (!name)
            BR_FAIL_GOTO(BR_ERROR_FORMAT, "%s: weight_map.%s is not a file name", index_path, tensor);
        if (json_object_get(seen, name))
            continue;
        json_object_set_new(seen, name, json_true());
        BR_TRY_GOTO(add_shard(folder, name, weights));
    }
fail:
    json_decref(index);
    json_decref(seen);
    return status;
}

static br_status find_weights(const char *folder, const char *what, char **out_path, bool *out_index)
{
    for (size_t i = 0; i < sizeof weight_names / sizeof weight_names[0]; i++) {
        BR_TRY(join(folder, weight_names[i].name, out_path));
        *out_index = weight_names[i].index;
        if (br_file_exists(*out_path))
            return NULL;
        free(*out_path);
        *out_path = NULL;
    }
    return br_fail(BR_ERROR_NOT_FOUND, "the model has no weights of the %s, expected %s/%s", what, folder,
                   strncmp(what, "text_encoder", 12) == 0 ? "model.safetensors" : weight_names[0].name);
}

/* Before version 0.17 diffusers named the VAE's attention otherwise, and many folders are of that age. */
static br_status rename_attention(br_weights **weights)
{
    if (!br_weights_find(*weights, "decoder.mid_block.attentions.0.query.weight"))
        return NULL;
    br_names names;
    BR_TRY(br_names_init(*weights, &names));
    br_weights_destroy(*weights);
    *weights = names.parts[BR_NAMED_VAE];
    names.parts[BR_NAMED_VAE] = NULL;
    br_names_finish(&names);
    return NULL;
}

static br_status open_weights(const char *folder, const char *what, br_checkpoint_part *component)
{
    bool index;
    BR_TRY(find_weights(folder, what, &component->weights_path, &index));
    if (index) {
        component->weights = br_weights_create();
        if (!component->weights)
            return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory while opening %s", component->weights_path);
        BR_TRY(add_shards(folder, component->weights_path, component->weights));
        BR_TRY(br_weights_seal(component->weights));
    } else {
        BR_TRY(br_safetensors_open(component->weights_path, &component->weights));
    }
    return rename_attention(&component->weights);
}

/* ---- components ---- */

/* model_index.json gives a component that is not there as null or [null, null]. */
static bool has_part(const json_t *index, const part_kind *kind)
{
    const json_t *entry = json_object_get(index, kind->name);
    return entry && !json_is_null(entry) && !json_is_null(json_array_get(entry, 1));
}

/* model_index.json has NAME: ["library", "Class"]. */
static br_status check_class(const json_t *index, const char *index_path, const part_kind *kind, char **out_class)
{
    const json_t *entry = json_object_get(index, kind->name);
    const char *class_name = json_string_value(json_array_get(entry, 1));
    if (!class_name)
        return br_fail(BR_ERROR_FORMAT, "%s: %s is missing, expected [library, \"%s\"]", index_path, kind->name,
                       kind->class_names[0]);
    bool known = false;
    for (int i = 0; kind->class_names[i] && !known; i++)
        known = strcmp(class_name, kind->class_names[i]) == 0;
    if (!known)
        return br_fail(BR_ERROR_UNSUPPORTED, "%s: %s is a %s, expected %s%s%s", index_path, kind->name, class_name,
                       kind->class_names[0], kind->class_names[1] ? " or " : "", kind->class_names[1] ? kind->class_names[1] : "");
    if (!out_class)
        return NULL;
    *out_class = strdup(class_name);
    return *out_class ? NULL : br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory while reading %s", index_path);
}

static br_status open_component(const char *path, const json_t *index, const char *index_path, const part_kind *kind,
                                br_checkpoint_part *component)
{
    free(component->class_name);
    component->class_name = NULL;
    BR_TRY(check_class(index, index_path, kind, &component->class_name));
    char *folder;
    BR_TRY(require(path, kind->name, kind->name, &folder));
    br_status status = require(folder, "config.json", "configuration of its component", &component->config_path);
    if (!status)
        status = br_json_read(component->config_path, CONFIG_BYTES_MAX, &component->config);
    if (!status && !component->weights)
        status = open_weights(folder, kind->name, component);
    free(folder);
    return status;
}

static br_status open_tokenizer(const char *path, const json_t *index, const char *index_path, const part_kind *kind,
                                char **out_path)
{
    BR_TRY(check_class(index, index_path, kind, NULL));
    return require(path, kind->name, kind->name, out_path);
}

/* Parts that other pipelines have and this one cannot do without knowing. */
static br_status check_index(const json_t *index, const char *index_path, char **out_class)
{
    static const char *const known[] = {"text_encoder",
                                        "text_encoder_2",
                                        "unet",
                                        "vae",
                                        "tokenizer",
                                        "tokenizer_2",
                                        "scheduler",
                                        "safety_checker",
                                        "feature_extractor",
                                        "image_encoder",
                                        "requires_safety_checker",
                                        NULL};
    if (!json_is_object(index))
        return br_fail(BR_ERROR_FORMAT, "%s is not a JSON object", index_path);
    const char *class_name = json_string_value(json_object_get(index, "_class_name"));
    if (!class_name)
        class_name = pipelines[0];
    bool drawn = false;
    for (int i = 0; pipelines[i] && !drawn; i++)
        drawn = strcmp(class_name, pipelines[i]) == 0;
    if (!drawn)
        return br_fail(BR_ERROR_UNSUPPORTED, "%s: _class_name is %s, expected a pipeline of Stable Diffusion such as %s",
                       index_path, class_name, pipelines[0]);
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)index, key, value)
    {
        bool expected = key[0] == '_' || json_is_null(value) || json_is_boolean(value) || json_is_null(json_array_get(value, 1));
        for (int i = 0; known[i] && !expected; i++)
            expected = strcmp(key, known[i]) == 0;
        if (!expected)
            return br_fail(BR_ERROR_UNSUPPORTED, "%s: component %s is not supported", index_path, key);
    }
    *out_class = strdup(class_name);
    return *out_class ? NULL : br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory while reading %s", index_path);
}

static br_status open_parts(const char *path, br_checkpoint *checkpoint, const char *index_path)
{
    const json_t *index = checkpoint->index;
    BR_TRY(check_index(index, index_path, &checkpoint->class_name));
    /* Only the refiner has no first text encoder: it has the second. */
    bool second = has_part(index, &text_encoder_2_kind), first = has_part(index, &text_encoder_kind) || !second;
    if (first)
        BR_TRY(open_component(path, index, index_path, &text_encoder_kind, &checkpoint->text_encoder));
    if (second)
        BR_TRY(open_component(path, index, index_path, &text_encoder_2_kind, &checkpoint->text_encoder_2));
    BR_TRY(open_component(path, index, index_path, &unet_kind, &checkpoint->unet));
    BR_TRY(open_component(path, index, index_path, &vae_kind, &checkpoint->vae));
    if (first)
        BR_TRY(open_tokenizer(path, index, index_path, &tokenizer_kind, &checkpoint->tokenizer_path));
    if (second)
        BR_TRY(open_tokenizer(path, index, index_path, &tokenizer_2_kind, &checkpoint->tokenizer_2_path));
    BR_TRY(require(path, "scheduler/scheduler_config.json", "scheduler", &checkpoint->scheduler_path));
    BR_TRY(br_json_read(checkpoint->scheduler_path, CONFIG_BYTES_MAX, &checkpoint->scheduler));
    char *drawing;
    BR_TRY(join(path, "brume.json", &drawing));
    br_status status = br_file_exists(drawing) ? br_json_read(drawing, CONFIG_BYTES_MAX, &checkpoint->drawing) : NULL;
    free(drawing);
    return status;
}

br_status br_diffusers_dir_open_vae(const char *path, br_checkpoint_part *out_part)
{
    *out_part = (br_checkpoint_part){0};
    const char *class_name;
    br_status status = NULL;
    BR_TRY_GOTO(require(path, "config.json", "configuration of its component", &out_part->config_path));
    BR_TRY_GOTO(br_json_read(out_part->config_path, CONFIG_BYTES_MAX, &out_part->config));
    BR_TRY_GOTO(br_json_string(out_part->config, out_part->config_path, "_class_name", vae_kind.class_names[0], &class_name));
    if (strcmp(class_name, vae_kind.class_names[0]) != 0 && strcmp(class_name, vae_kind.class_names[1]) != 0)
        BR_FAIL_GOTO(BR_ERROR_UNSUPPORTED, "%s is of a %s, expected %s or %s", out_part->config_path, class_name,
                     vae_kind.class_names[0], vae_kind.class_names[1]);
    out_part->class_name = strdup(class_name);
    if (!out_part->class_name)
        BR_FAIL_GOTO(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory while opening %s", path);
    BR_TRY_GOTO(open_weights(path, "vae", out_part));
    return NULL;
fail:
    br_checkpoint_part_finish(out_part);
    return status;
}

br_status br_diffusers_dir_complete(const char *path, br_checkpoint *checkpoint)
{
    if (!br_file_exists(path))
        return br_fail(BR_ERROR_NOT_FOUND, "there is no model at %s", path);
    if (!br_file_is_dir(path))
        return br_fail(BR_ERROR_UNSUPPORTED, "%s is a file, expected a model folder with model_index.json", path);
    char *index_path;
    BR_TRY(require(path, "model_index.json", "model_index.json", &index_path));
    br_status status = br_json_read(index_path, CONFIG_BYTES_MAX, &checkpoint->index);
    if (!status)
        status = open_parts(path, checkpoint, index_path);
    free(index_path);
    return status;
}

br_status br_diffusers_dir_open(const char *path, br_checkpoint *out_checkpoint)
{
    *out_checkpoint = (br_checkpoint){.path = strdup(path), .format = "diffusers folder"};
    br_status status = out_checkpoint->path ? br_diffusers_dir_complete(path, out_checkpoint)
                                            : br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory while opening %s", path);
    if (status)
        br_checkpoint_finish(out_checkpoint);
    return status;
}
