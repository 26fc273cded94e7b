/* A model folder as diffusers writes it: model_index.json and one folder a component. Everything is found and parsed here; what the
 * configurations mean is the models' business. */
#ifndef BR_WEIGHTS_DIFFUSERS_DIR_H
#define BR_WEIGHTS_DIFFUSERS_DIR_H

#include "base/json.h"
#include "weights/weights.h"

typedef struct br_diffusers_component {
    char *class_name;    /* owned; "UNet2DConditionModel" */
    char *config_path;   /* owned; "…/unet/config.json" */
    json_t *config;      /* owned */
    char *weights_path;  /* owned; the safetensors file, or the index of its shards */
    br_weights *weights; /* owned */
} br_diffusers_component;

typedef struct br_diffusers_dir {
    char *path; /* owned; of the folder */
    br_diffusers_component text_encoder, unet, vae;
    char *tokenizer_path; /* owned; the tokenizer's folder */
    char *scheduler_path; /* owned; "…/scheduler/scheduler_config.json" */
    json_t *scheduler;    /* owned */
    json_t *drawing;      /* owned; brume.json, the folder's drawing defaults; NULL when there is none */
} br_diffusers_dir;

/* Errors: BR_ERROR_NOT_FOUND naming the part and the path; BR_ERROR_FORMAT; BR_ERROR_UNSUPPORTED for a component class that Brume does not know.
 * On failure *out_dir is zeroed. */
BR_MUST_CHECK br_status br_diffusers_dir_open(const char *path, br_diffusers_dir *out_dir);
/* Takes a zeroed one. */
void br_diffusers_dir_finish(br_diffusers_dir *dir);

#endif
