/* Models on disk: opening checks the files and reads the configuration; no device is needed. */
#ifndef BRUME_MODEL_H
#define BRUME_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "brume/device.h"
#include "brume/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct br_model br_model;

typedef struct br_model_params {
    const char
        *path; /* a diffusers folder or a single file (safetensors, GGUF, torch's .ckpt); NULL: the model that comes with Brume */
    /* For a single file: a diffusers folder whose configurations, tokenizers and scheduler hold for it, and whose parts stand in for those that the file
     * has not. NULL: all is told from the file's tensors. */
    const char *config;
    /* A VAE in place of the model's: a diffusers folder of one component or a single file, an AutoencoderKL or TAESD (of two files, the decoder's; the
     * encoder's is looked for beside it). Latent channels have to be the same; the size of pictures follows its factor. NULL: the model's own. */
    const char *vae;
    const char *prediction; /* one of br_prediction_list in place of what the model says; NULL: as it says */
    /* Instead of a path: the shape of a well-known model without its files, "sd15", … (br_architecture_list). It can be planned, its shaders listed,
     * its stages timed with noise for weights; br_generate refuses it. */
    const char *architecture;
    br_log_callback log; /* may be NULL */
    void *log_user;
    br_log_level log_level;
} br_model_params;

/* Errors: BR_ERROR_NOT_FOUND (a part of the model is missing: which, where), BR_ERROR_FORMAT, BR_ERROR_UNSUPPORTED (by name). */
BR_API BR_MUST_CHECK br_status br_model_open(const br_model_params *params, br_model **out_model);
/* Names for br_model_params.prediction, what the UNet's output is: "epsilon", "v", "sample"; index 0 .. until NULL. */
BR_API const char *br_prediction_list(int index);
/* Names for br_model_params.architecture: index 0 .. until NULL. */
BR_API const char *br_architecture_list(int index);
BR_API void br_model_close(br_model *model);

/* How the model is drawn with unless the caller says otherwise. */
typedef struct br_model_defaults {
    int width, height; /* picture pixels */
    int size_multiple; /* width and height are multiples of it: the VAE's factor */
    int steps;
    double guidance;
    const char *sampler;  /* borrowed, "ddim" */
    const char *schedule; /* borrowed, "default" */
} br_model_defaults;
BR_API br_model_defaults br_model_get_defaults(const br_model *model);
BR_API const char *br_model_path(const br_model *model);
/* Last part of the path: what goes into the picture's parameters. */
BR_API const char *br_model_name(const br_model *model);
/* "Stable Diffusion 2, v-prediction"; NULL when it is not known. */
BR_API const char *br_model_family(const br_model *model);
/* "diffusers folder", "safetensors", "gguf", "ckpt"; NULL for an architecture. */
BR_API const char *br_model_format(const br_model *model);
/* What is missing or unusual, a sentence each: index 0 .. until NULL. */
BR_API const char *br_model_note(const br_model *model, int index);

/* Textual inversion: in prompts `name` stands for the vectors of a file, as a whole word, case aside; NULL: the file's name without folder and ending. Of a
 * folder, every file that fits the model, and `name` is NULL. Forms of files: docs/prompts.md. Not while the model is drawn with. Errors:
 * BR_ERROR_NOT_FOUND, BR_ERROR_FORMAT (vectors of another width: both are named), BR_ERROR_UNSUPPORTED. */
BR_API BR_MUST_CHECK br_status br_model_add_embedding(br_model *model, const char *name, const char *path);

typedef struct br_component_info {
    const char *name;       /* "unet" */
    const char *class_name; /* "UNet2DConditionModel" */
    const char *path;       /* of the weights */
    int tensor_count;
    uint64_t parameter_count;
    uint64_t file_bytes; /* of tensor data */
} br_component_info;

typedef struct br_tensor_info {
    const char *name, *dtype; /* "F16" */
    int rank;
    int64_t shape[8];
    uint64_t bytes;
} br_tensor_info;

/* All strings are borrowed from the model. Indices out of range give zeroed results. */
BR_API int br_model_component_count(const br_model *model);
BR_API br_component_info br_model_component(const br_model *model, int component);
BR_API br_tensor_info br_model_tensor(const br_model *model, int component, int tensor);

typedef enum br_precision {
    BR_PRECISION_AUTO, /* f16 where the device stores 16-bit floats, else f32 */
    BR_PRECISION_F32,
    BR_PRECISION_F16,
} br_precision;

/* Device memory and work for one size, planned without touching the device. */
typedef struct br_stage_info {
    const char *name;  /* "text", "text_2", "cross" (keys and values of the prompt, once), "denoise", "decode" */
    const char *dtype; /* of activations */
    int dispatches;    /* of one run */
    uint64_t flops;    /* of one run (denoise: one step with guidance) */
    uint64_t weight_bytes;
    uint64_t activation_bytes; /* the plan's arena */
    uint64_t activation_lower_bound_bytes;
    uint64_t streamed_bytes; /* of the weights: read anew for every run, because the memory budget has no room for them */
    int segments;            /* that a run consists of; 1 unless it streams */
} br_stage_info;

typedef struct br_memory_info {
    br_stage_info stages[5];
    int stage_count;                                      /* 4 with one text encoder */
    uint64_t weight_bytes, activation_bytes, total_bytes; /* arenas are shared by the stages; with a budget all that will be held */
    uint64_t least_budget,
        whole_budget; /* the smallest memory budget that this size can do with, and that with which nothing is streamed */
    int tile_width, tile_height; /* picture pixels of the decoder's tiles; the picture's where there are none */
} br_memory_info;

typedef struct br_memory_params {
    const br_context *context; /* may be NULL: then a minimum device is assumed */
    const char *selector;      /* as for br_device_open */
    br_precision precision;
    int width, height, batch_size; /* 0: the model's defaults, 1 */
    uint64_t memory_budget;        /* as in br_pipeline_params, as is the next */
    int vae_tile;
} br_memory_params;
BR_API BR_MUST_CHECK br_status br_model_memory(const br_model *model, const br_memory_params *params, br_memory_info *out_info);

#ifdef __cplusplus
}
#endif
#endif
