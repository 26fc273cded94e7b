/* A model on disk: its configuration, tokenizer, schedule and mapped weights, all checked. No device. */
#ifndef BR_PIPELINE_MODEL_H
#define BR_PIPELINE_MODEL_H

#include "base/log.h"
#include "brume/model.h"
#include "diffusion/sampler.h"
#include "diffusion/schedule.h"
#include "models/clip_text.h"
#include "models/unet.h"
#include "models/vae.h"
#include "tokenizer/clip_bpe.h"
#include "weights/weights.h"

typedef enum br_component { BR_COMPONENT_TEXT, BR_COMPONENT_UNET, BR_COMPONENT_VAE, BR_COMPONENT_COUNT } br_component;

typedef struct br_model_part {
    const char *name;    /* borrowed, a literal: "text_encoder" */
    char *class_name;    /* owned */
    char *path;          /* owned; of the weights */
    br_weights *weights; /* owned */
} br_model_part;

struct br_model {
    char *path, *name; /* owned */
    br_log log;
    br_model_part parts[BR_COMPONENT_COUNT];
    br_clip_text_config text;
    br_unet_config unet;
    br_vae_config vae;
    br_clip_bpe *tokenizer; /* owned */
    br_schedule schedule;
    br_sampler sampler; /* of scheduler_config.json */
    br_sigmas sigmas;
    br_model_defaults defaults;
};

/* `path` is a diffusers folder. Errors name the part that is missing or wrong. */
BR_MUST_CHECK br_status br_model_load(const char *path, const br_log *log, br_model **out_model);
void br_model_unload(br_model *model);
/* What the file stores matrices in: BR_F16 when every floating-point tensor of the part is F16, else BR_F32. */
br_dtype br_model_stored_dtype(const br_model *model, br_component component);

#endif
