#include "pipeline/convert_source.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "weights/diffusers_dir.h"
#include "weights/gguf.h"
#include "weights/weight_file.h"

/* Entries of the output that are not the input's. */
#define OWN_ENTRIES 4
#define QUANTIZATION_VERSION 2 /* GGML_QNT_VERSION */

/* ---- tensors ---- */

static br_status add_tensors(br_convert_source *source, const br_weights *weights, const char *prefix)
{
    int count = br_weights_count(weights);
    br_tensor_view *tensors = realloc(source->tensors, (size_t)(source->count + count + 1) * sizeof *tensors);
    if (!tensors)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory for %d tensors", source->count + count);
    source->tensors = tensors;
    for (int i = 0; i < count; i++) {
        br_tensor_view *tensor = &tensors[source->count];
        *tensor = *br_weights_at(weights, i);
        tensor->name = br_arena_printf(&source->arena, "%s%s", prefix, tensor->name);
        if (!tensor->name)
            return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory for %d tensors", source->count + count);
        source->count++;
    }
    return NULL;
}

/* A tensor whose being there says something, whatever is in it, as ComfyUI has them for what tensors do not tell. */
static br_status add_marker(br_convert_source *source, const char *name)
{
    static const float one = 1; /* nobody reads it */
    br_tensor_view *tensors = realloc(source->tensors, (size_t)(source->count + 1) * sizeof *tensors);
    if (!tensors)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory for %d tensors", source->count + 1);
    source->tensors = tensors;
    source->tensors[source->count++] = (br_tensor_view){.name = name,
                                                        .file = source->folder.path,
                                                        .dtype = BR_WEIGHT_F32,
                                                        .rank = 1,
                                                        .shape = {1},
                                                        .count = 1,
                                                        .data = &one,
                                                        .size = sizeof one};
    return NULL;
}

/* The prefixes under which stable-diffusion.cpp reads and writes a folder's parts. */
static br_status add_folder(br_convert_source *source)
{
    const struct {
        const br_checkpoint_part *part;
        const char *prefix;
    } parts[] = {
        {&source->folder.unet, "unet."},
        {&source->folder.vae, "vae."},
        {&source->folder.text_encoder, "te."},
        {&source->folder.text_encoder_2, source->folder.text_encoder.weights ? "te.1." : "te."},
    };
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (parts[i].part->weights)
            BR_TRY(add_tensors(source, parts[i].part->weights, parts[i].prefix));
    const char *prediction = json_string_value(json_object_get(source->folder.scheduler, "prediction_type"));
    if (prediction && strcmp(prediction, "v_prediction") == 0)
        BR_TRY(add_marker(source, "v_pred"));
    if (json_is_true(json_object_get(source->folder.scheduler, "rescale_betas_zero_snr")))
        BR_TRY(add_marker(source, "ztsnr"));
    return NULL;
}

br_status br_convert_source_open(const char *path, br_convert_source *out_source)
{
    *out_source = (br_convert_source){0};
    if (br_file_is_dir(path)) {
        BR_TRY(br_diffusers_dir_open(path, &out_source->folder));
        return add_folder(out_source);
    }
    const char *format;
    BR_TRY(br_weight_file_open(path, &out_source->file, &format));
    return add_tensors(out_source, out_source->file, "");
}

void br_convert_source_close(br_convert_source *source)
{
    free(source->tensors);
    free(source->metadata);
    br_weights_destroy(source->file);
    br_checkpoint_finish(&source->folder);
    br_arena_finish(&source->arena);
    *source = (br_convert_source){0};
}

/* ---- metadata ---- */

/* "sd1", "sdxl" are ComfyUI-GGUF's words; stable-diffusion.cpp has none and looks at the tensors. */
static const char *architecture(const br_convert_source *source)
{
    for (int i = 0; i < source->count; i++) {
        const char *at = strstr(source->tensors[i].name, "attn2.to_k.weight");
        if (!at || source->tensors[i].rank != 2)
            continue;
        int64_t width = source->tensors[i].shape[1];
        return width == 768 ? "sd1" : width == 1024 ? "sd2" : width == 2048 ? "sdxl" : width == 1280 ? "sdxl_refiner" : "diffusion";
    }
    return "diffusion";
}

/* enum llama_ftype, as docs/gguf.md lists it under general.file_type; -1 for none. */
static int file_type(const char *type)
{
    static const struct {
        const char *name;
        int number;
    } numbers[] = {
        {"f32", 0},   {"f16", 1},   {"q4_0", 2},  {"q4_1", 3},  {"q8_0", 7},  {"q5_0", 8},  {"q5_1", 9},
        {"q2_k", 10}, {"q3_k", 11}, {"q4_k", 14}, {"q5_k", 16}, {"q6_k", 18}, {"bf16", 32},
    };
    for (size_t i = 0; type && i < sizeof numbers / sizeof numbers[0]; i++)
        if (strcmp(numbers[i].name, type) == 0)
            return numbers[i].number;
    return -1;
}

static bool has_entry(const br_convert_source *source, const char *key)
{
    for (int i = 0; i < source->metadata_count; i++)
        if (strcmp(source->metadata[i].key, key) == 0)
            return true;
    return false;
}

/* Not what describes this very file: how it is laid out, and what wrote it. */
static bool carries_over(const br_metadata *entry, br_weights_format format)
{
    static const char *const own[] = {"general.alignment", "general.file_type", "general.quantization_version"};
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
        if (strcmp(entry->key, own[i]) == 0)
            return false;
    if (strncmp(entry->key, BR_GGUF_ORIGINAL_SHAPE, strlen(BR_GGUF_ORIGINAL_SHAPE)) == 0 || strcmp(entry->key, "format") == 0)
        return false;
    return entry->text || (entry->value && format == BR_FORMAT_GGUF);
}

static void add_number(br_convert_source *source, const char *key, int value, uint8_t storage[4])
{
    for (int i = 0; i < 4; i++)
        storage[i] = (uint8_t)(value >> 8 * i);
    source->metadata[source->metadata_count++] = (br_metadata){.key = key, .gguf_type = BR_GGUF_U32, .value = storage, .size = 4};
}

br_status br_convert_source_describe(br_convert_source *source, br_weights_format format, const char *type)
{
    int count = source->file ? br_weights_metadata_count(source->file) : 0;
    source->metadata = malloc((size_t)(count + OWN_ENTRIES) * sizeof *source->metadata);
    if (!source->metadata)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory for %d metadata entries", count);
    for (int i = 0; i < count; i++)
        if (carries_over(br_weights_metadata_at(source->file, i), format))
            source->metadata[source->metadata_count++] = *br_weights_metadata_at(source->file, i);
    if (format == BR_FORMAT_SAFETENSORS) { /* transformers refuses files that do not say so */
        source->metadata[source->metadata_count++] = (br_metadata){.key = "format", .text = "pt"};
        return NULL;
    }
    if (!has_entry(source, "general.architecture"))
        source->metadata[source->metadata_count++] = (br_metadata){.key = "general.architecture", .text = architecture(source)};
    add_number(source, "general.quantization_version", QUANTIZATION_VERSION, source->quantization_version);
    if (file_type(type) >= 0)
        add_number(source, "general.file_type", file_type(type), source->file_type);
    return NULL;
}
