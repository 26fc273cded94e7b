#include "models/checkpoint_open.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "models/infer.h"
#include "weights/diffusers_dir.h"
#include "weights/names.h"
#include "weights/weight_file.h"

/* Unknown tensors that are named; more are counted. */
#define NAMED_MAX 8
#define OUT_OF_MEMORY(path) br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory while opening %s", path)

static const char *const part_names[BR_NAMED_PART_COUNT] = {"text_encoder", "text_encoder_2", "unet", "vae"};

static br_checkpoint_part *part_of(br_checkpoint *checkpoint, br_named_part part)
{
    br_checkpoint_part *const parts[] = {&checkpoint->text_encoder, &checkpoint->text_encoder_2, &checkpoint->unet,
                                         &checkpoint->vae};
    return parts[part];
}

static br_status copy_text(const char *text, const char *path, char **out_copy)
{
    *out_copy = strdup(text);
    return *out_copy ? NULL : OUT_OF_MEMORY(path);
}

/* ---- a file's tensors ---- */

/* What a file without a UNet is, as far as its names say. */
static br_status no_unet(const char *path, const br_weights *file, const br_names *names)
{
    static const struct {
        const char *text, *what;
    } signs[] = {{"lora_", "a LoRA"},
                 {"double_blocks.", "a Flux model"},
                 {"joint_blocks.", "a Stable Diffusion 3 model"},
                 {"control_model.", "a ControlNet"},
                 {"string_to_param", "a textual inversion"},
                 {"emb_params", "a textual inversion"}};
    for (size_t s = 0; s < sizeof signs / sizeof signs[0]; s++)
        for (int i = 0; i < br_weights_count(file); i++)
            if (strstr(br_weights_at(file, i)->name, signs[s].text))
                return br_fail(BR_ERROR_UNSUPPORTED, "%s is %s (it has %s), not a model of Stable Diffusion", path, signs[s].what,
                               br_weights_at(file, i)->name);
    if (names->parts[BR_NAMED_VAE])
        return br_fail(BR_ERROR_UNSUPPORTED, "%s has a VAE but no UNet: give a model with -m, and this file with --vae", path);
    if (names->parts[BR_NAMED_TEXT] || names->parts[BR_NAMED_TEXT_2])
        return br_fail(BR_ERROR_UNSUPPORTED, "%s has a text encoder but no UNet: it is a part of a model", path);
    return br_fail(BR_ERROR_UNSUPPORTED, "%s has no UNet of Stable Diffusion: none of its %d tensors is known%s%.100s", path,
                   br_weights_count(file), names->unplaced_count ? ", such as " : "",
                   names->unplaced_count ? names->unplaced[0] : "");
}

static br_status note_names(br_checkpoint *checkpoint, const br_names *names)
{
    for (int i = 0; i < names->unplaced_count && i < NAMED_MAX; i++)
        BR_TRY(br_checkpoint_note(checkpoint, "tensor %.200s has no place in this model", names->unplaced[i]));
    if (names->unplaced_count > NAMED_MAX)
        BR_TRY(br_checkpoint_note(checkpoint, "%d more tensors have no place in this model", names->unplaced_count - NAMED_MAX));
    if (names->ignored_count)
        BR_TRY(br_checkpoint_note(checkpoint, "%d tensors change nothing when drawing (averages, noise schedules, position ids)",
                                  names->ignored_count));
    for (int i = 0; i < BR_NAMED_PART_COUNT; i++)
        if (!names->parts[i] && i != BR_NAMED_TEXT_2 && !(i == BR_NAMED_TEXT && names->parts[BR_NAMED_TEXT_2]))
            BR_TRY(br_checkpoint_note(checkpoint, "the file has no %s", part_names[i]));
    return NULL;
}

/* The modelspec that trainers write beside the tensors (https://github.com/Stability-AI/ModelSpec): "epsilon" or "v". */
static void read_metadata(const br_weights *file, br_inferred *inferred)
{
    for (int i = 0; i < br_weights_metadata_count(file); i++) {
        const br_metadata *entry = br_weights_metadata_at(file, i);
        if (strcmp(entry->key, "modelspec.prediction_type") != 0 || !entry->text)
            continue;
        if (strcmp(entry->text, "v") == 0)
            inferred->prediction = "v_prediction";
        else if (strcmp(entry->text, "epsilon") == 0)
            inferred->prediction = "epsilon";
    }
}

/* ---- configurations ---- */

static br_status set_part(br_checkpoint *checkpoint, br_named_part index, const char *class_name, json_t *config)
{
    br_checkpoint_part *part = part_of(checkpoint, index);
    char what[64];
    part->config = config;
    snprintf(what, sizeof what, "%s (from its tensors)", part_names[index]);
    BR_TRY(copy_text(class_name, checkpoint->path, &part->class_name));
    return copy_text(what, checkpoint->path, &part->config_path);
}

static br_status infer_texts(br_checkpoint *checkpoint, const br_names *names, const br_inferred *inferred)
{
    json_t *config;
    const char *path = checkpoint->path;
    bool sd2 = inferred->family == BR_FAMILY_SD2;
    const br_weights *first = checkpoint->text_encoder.weights, *second = checkpoint->text_encoder_2.weights;
    if (first) {
        /* SD2 was trained on the states before the last layer, which some files leave out: OpenCLIP's ViT-H has 24. */
        bool whole = names->open_clip[BR_NAMED_TEXT] || br_weights_find(first, "text_model.encoder.layers.23.mlp.fc1.weight");
        BR_TRY(br_infer_text(
            &(br_infer_text_params){.weights = first, .file = path, .quick_gelu = !sd2, .last_dropped = sd2 && whole}, &config));
        BR_TRY(set_part(checkpoint, BR_NAMED_TEXT, "CLIPTextModel", config));
        checkpoint->tokenizer_pad = sd2 ? "!" : NULL;
    }
    if (second) {
        BR_TRY(br_infer_text(&(br_infer_text_params){.weights = second, .file = path, .projected = true}, &config));
        BR_TRY(set_part(checkpoint, BR_NAMED_TEXT_2, "CLIPTextModelWithProjection", config));
        checkpoint->tokenizer_2_pad = "!";
    }
    return NULL;
}

static br_status infer_configs(br_checkpoint *checkpoint, const br_names *names, const br_inferred *inferred)
{
    json_t *config;
    const char *class_name;
    BR_TRY(br_infer_unet(checkpoint->unet.weights, inferred, checkpoint->path, &config));
    BR_TRY(set_part(checkpoint, BR_NAMED_UNET, "UNet2DConditionModel", config));
    BR_TRY(infer_texts(checkpoint, names, inferred));
    if (checkpoint->vae.weights) {
        BR_TRY(br_infer_vae(checkpoint->vae.weights, br_inferred_scaling(inferred), checkpoint->path, &class_name, &config));
        BR_TRY(set_part(checkpoint, BR_NAMED_VAE, class_name, config));
    }
    BR_TRY(copy_text(br_inferred_pipeline(inferred), checkpoint->path, &checkpoint->class_name));
    BR_TRY(copy_text("scheduler (of the family)", checkpoint->path, &checkpoint->scheduler_path));
    BR_TRY(br_infer_index(inferred, &checkpoint->index));
    return br_infer_scheduler(inferred, &checkpoint->scheduler);
}

/* ---- whole checkpoints ---- */

static br_status set_family(br_checkpoint *checkpoint, const br_inferred *inferred)
{
    char name[160];
    return copy_text(br_inferred_name(inferred, name, sizeof name), checkpoint->path, &checkpoint->family);
}

/* The literal that a scheduler's prediction_type is; "epsilon" where it says nothing. */
static const char *prediction_of(const json_t *scheduler)
{
    static const char *const names[] = {"epsilon", "v_prediction", "sample"};
    const char *text = json_string_value(json_object_get(scheduler, "prediction_type"));
    for (size_t i = 0; text && i < sizeof names / sizeof names[0]; i++)
        if (strcmp(names[i], text) == 0)
            return names[i];
    return names[0];
}

static br_status take_parts(br_checkpoint *checkpoint, br_names *names)
{
    for (int i = 0; i < BR_NAMED_PART_COUNT; i++) {
        br_checkpoint_part *part = part_of(checkpoint, (br_named_part)i);
        part->weights = names->parts[i];
        names->parts[i] = NULL;
        if (part->weights)
            BR_TRY(copy_text(checkpoint->path, checkpoint->path, &part->weights_path));
    }
    return NULL;
}

/* The parts that the file has and the folder does not describe. */
static br_status check_described(br_checkpoint *checkpoint, const char *config_path)
{
    for (int i = 0; i < BR_NAMED_PART_COUNT; i++) {
        const br_checkpoint_part *part = part_of(checkpoint, (br_named_part)i);
        if (part->weights && !part->config)
            return br_fail(BR_ERROR_FORMAT, "%s has a %s, which %s does not describe", checkpoint->path, part_names[i],
                           config_path);
    }
    return NULL;
}

static br_status open_file(const br_checkpoint_params *params, br_checkpoint *checkpoint)
{
    br_weights *file = NULL;
    br_names names = {0};
    br_inferred inferred;
    br_status status = br_weight_file_open(params->path, &file, &checkpoint->format);
    if (status)
        return status;
    BR_TRY_GOTO(br_names_init(file, &names));
    if (!names.parts[BR_NAMED_UNET])
        BR_TRY_GOTO(no_unet(params->path, file, &names));
    BR_TRY_GOTO(br_infer_family(&(br_infer_family_params){.unet = names.parts[BR_NAMED_UNET],
                                                          .text = names.parts[BR_NAMED_TEXT],
                                                          .text_2 = names.parts[BR_NAMED_TEXT_2],
                                                          .open_clip = names.open_clip[BR_NAMED_TEXT],
                                                          .file = params->path},
                                &inferred));
    read_metadata(file, &inferred);
    if (names.v_prediction)
        inferred.prediction = "v_prediction";
    inferred.zero_snr = names.zero_snr;
    BR_TRY_GOTO(note_names(checkpoint, &names));
    BR_TRY_GOTO(take_parts(checkpoint, &names));
    if (params->config_path) {
        BR_TRY_GOTO(br_diffusers_dir_complete(params->config_path, checkpoint));
        BR_TRY_GOTO(check_described(checkpoint, params->config_path));
        inferred.prediction = prediction_of(checkpoint->scheduler);
    } else {
        BR_TRY_GOTO(infer_configs(checkpoint, &names, &inferred));
    }
    if (params->prediction)
        inferred.prediction = params->prediction;
    BR_TRY_GOTO(set_family(checkpoint, &inferred));
fail:
    br_names_finish(&names);
    br_weights_destroy(file);
    return status;
}

static br_status open_folder(const br_checkpoint_params *params, br_checkpoint *checkpoint)
{
    br_inferred inferred;
    if (params->config_path)
        return br_fail(BR_ERROR_ARGUMENT, "%s is a folder with its own configurations, expected none beside it", params->path);
    BR_TRY(br_diffusers_dir_open(params->path, checkpoint));
    br_status status = br_infer_family(&(br_infer_family_params){.unet = checkpoint->unet.weights,
                                                                 .text = checkpoint->text_encoder.weights,
                                                                 .text_2 = checkpoint->text_encoder_2.weights,
                                                                 .file = params->path},
                                       &inferred);
    if (status) { /* what is wrong is said where it matters */
        br_status_free(status);
        return NULL;
    }
    inferred.prediction = params->prediction ? params->prediction : prediction_of(checkpoint->scheduler);
    inferred.zero_snr = json_is_true(json_object_get(checkpoint->scheduler, "rescale_betas_zero_snr"));
    return set_family(checkpoint, &inferred);
}

/* The latents belong to the UNet, so their scale is that of the VAE which is replaced, or the family's. TAESD knows its own. */
static br_status replace_vae(const char *path, br_checkpoint *checkpoint)
{
    const json_t *scaling = json_object_get(checkpoint->vae.config, "scaling_factor");
    br_inferred family = {.family = checkpoint->text_encoder_2.weights ? BR_FAMILY_SDXL : BR_FAMILY_SD1};
    br_checkpoint_part part;
    BR_TRY(br_status_prefix(
        br_checkpoint_open_vae(path, json_is_number(scaling) ? json_number_value(scaling) : br_inferred_scaling(&family), &part),
        "VAE"));
    br_checkpoint_part_finish(&checkpoint->vae);
    checkpoint->vae = part;
    return NULL;
}

br_status br_checkpoint_open(const br_checkpoint_params *params, br_checkpoint *out_checkpoint)
{
    *out_checkpoint = (br_checkpoint){0};
    br_status status = NULL;
    if (!br_file_exists(params->path))
        return br_fail(BR_ERROR_NOT_FOUND, "there is no model at %s", params->path);
    if (br_file_is_dir(params->path)) {
        BR_TRY_GOTO(open_folder(params, out_checkpoint));
    } else {
        BR_TRY_GOTO(copy_text(params->path, params->path, &out_checkpoint->path));
        BR_TRY_GOTO(open_file(params, out_checkpoint));
    }
    if (params->vae_path)
        BR_TRY_GOTO(replace_vae(params->vae_path, out_checkpoint));
    if (params->prediction && json_object_set_new(out_checkpoint->scheduler, "prediction_type", json_string(params->prediction)))
        BR_TRY_GOTO(OUT_OF_MEMORY(params->path));
    return NULL;
fail:
    br_checkpoint_finish(out_checkpoint);
    return status;
}

/* ---- a VAE alone ---- */

/* "…/taesd_decoder.safetensors" -> "…/taesd_encoder.safetensors" when it is there; malloc'd. */
static char *sibling(const char *path)
{
    char *other = strdup(path), *at = other ? strstr(other, "decoder") : NULL;
    for (char *next = at; next; next = strstr(next + 1, "decoder"))
        at = next;
    if (at && !strchr(at, '/')) {
        memcpy(at, "encoder", strlen("encoder"));
        if (br_file_exists(other))
            return other;
    }
    free(other);
    return NULL;
}

/* One set of both files' tensors. */
static br_status join_halves(br_weights **decoder, br_weights *encoder)
{
    br_weights *both = br_weights_create();
    br_status status = both ? NULL : br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory for a VAE");
    br_weights *const halves[] = {*decoder, encoder};
    for (int h = 0; h < 2 && !status; h++) {
        status = br_weights_borrow(both, halves[h]);
        for (int i = 0; i < br_weights_count(halves[h]) && !status; i++)
            status = br_weights_add(both, br_weights_at(halves[h], i));
    }
    if (!status)
        status = br_weights_seal(both);
    if (status) {
        br_weights_destroy(both);
        return status;
    }
    br_weights_destroy(*decoder);
    *decoder = both;
    return NULL;
}

static br_status read_vae_tensors(const char *path, br_weights **out_weights)
{
    br_weights *file = NULL;
    br_names names = {0};
    const char *format;
    br_status status = br_weight_file_open(path, &file, &format);
    if (!status)
        status = br_names_init(file, &names);
    if (!status && !names.parts[BR_NAMED_VAE])
        status = br_fail(BR_ERROR_UNSUPPORTED, "%s has no VAE", path);
    *out_weights = names.parts[BR_NAMED_VAE];
    names.parts[BR_NAMED_VAE] = NULL;
    br_names_finish(&names);
    br_weights_destroy(file);
    return status;
}

br_status br_checkpoint_open_vae(const char *path, double scaling_factor, br_checkpoint_part *out_part)
{
    *out_part = (br_checkpoint_part){0};
    if (br_file_is_dir(path))
        return br_diffusers_dir_open_vae(path, out_part);
    br_status status = NULL;
    char *other = NULL;
    br_weights *encoder = NULL;
    const char *class_name;
    BR_TRY_GOTO(read_vae_tensors(path, &out_part->weights));
    if (br_weights_find(out_part->weights, "decoder.layers.0.weight") &&
        !br_weights_find(out_part->weights, "encoder.layers.0.weight") && (other = sibling(path))) {
        BR_TRY_GOTO(read_vae_tensors(other, &encoder));
        BR_TRY_GOTO(join_halves(&out_part->weights, encoder));
    }
    BR_TRY_GOTO(br_infer_vae(out_part->weights, scaling_factor, path, &class_name, &out_part->config));
    BR_TRY_GOTO(copy_text(class_name, path, &out_part->class_name));
    BR_TRY_GOTO(copy_text("vae (from its tensors)", path, &out_part->config_path));
    BR_TRY_GOTO(copy_text(path, path, &out_part->weights_path));
fail:
    free(other);
    br_weights_destroy(encoder);
    if (status)
        br_checkpoint_part_finish(out_part);
    return status;
}
