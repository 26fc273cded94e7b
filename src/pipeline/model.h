/* A model on disk: its configuration, tokenizer, schedule and mapped weights, all checked. No device. */
#ifndef BR_PIPELINE_MODEL_H
#define BR_PIPELINE_MODEL_H

#include <stdbool.h>

#include "base/log.h"
#include "brume/model.h"
#include "diffusion/sampler.h"
#include "diffusion/schedule.h"
#include "models/checkpoint_open.h"
#include "models/clip_text.h"
#include "models/taesd.h"
#include "models/unet.h"
#include "models/vae.h"
#include "pipeline/embeddings.h"
#include "tokenizer/clip_bpe.h"
#include "weights/weights.h"

/* The text encoders come first: they are indices of br_model.text too. Stable Diffusion 1.x and 2.x have TEXT, SDXL has both, its refiner only TEXT_2. */
typedef enum br_component {
    BR_COMPONENT_TEXT,
    BR_COMPONENT_TEXT_2,
    BR_COMPONENT_UNET,
    BR_COMPONENT_VAE,
    BR_COMPONENT_COUNT
} br_component;
#define BR_MODEL_TEXT_MAX 2

/* All NULL where the model has no such part. */
typedef struct br_model_part {
    const char *name;    /* borrowed, a literal: "text_encoder" */
    char *class_name;    /* owned */
    char *path;          /* owned; of the weights */
    br_weights *weights; /* owned */
} br_model_part;

/* What the UNet sees beside the latents, told by its input channels. */
typedef enum br_model_task {
    BR_TASK_DRAW,    /* nothing */
    BR_TASK_INPAINT, /* a mask, and the latents of the picture without what is masked */
    BR_TASK_EDIT,    /* the latents of a picture that instructions are about (instruct-pix2pix) */
} br_model_task;

typedef struct br_model_text {
    br_clip_text_config config;
    br_clip_bpe *tokenizer; /* owned; NULL: the model has no such encoder */
} br_model_text;

/* Layers of the text encoders whose states are taken, counted from the end as users do: 1 is the last. */
#define BR_CLIP_SKIP_LAST 1
#define BR_CLIP_SKIP_SDXL 2

struct br_model {
    char *path, *name; /* owned */
    br_log log;
    br_model_part parts[BR_COMPONENT_COUNT];
    br_model_text text[BR_MODEL_TEXT_MAX];
    br_unet_config unet;
    br_vae_config vae;
    char *vae_name; /* owned; last part of the path of a VAE that took the place of the model's; NULL: none did */
    bool tiny_vae;  /* an AutoencoderTiny: `vae` holds what it has in common with an AutoencoderKL */
    br_taesd_config taesd;
    br_schedule schedule;
    br_sampler sampler; /* of scheduler_config.json */
    br_sigmas sigmas;
    int pooled;   /* width of the pooled text of TEXT_2 that the UNet takes (SDXL); 0: none */
    int time_ids; /* numbers that it takes besides: 6 for sizes and crop, 5 for size, crop and aesthetic score (refiner) */
    br_embeddings embeddings;
    bool force_zeros; /* without a negative prompt its states are zeros instead of those of an empty text */
    br_model_defaults defaults;
    const char *format;  /* as br_checkpoint has them, and those: */
    char *family, **odd; /* owned */
    int odd_count;
    bool weightless; /* an architecture without its files: parts have no tensors */
};

/* Errors name the part that is missing or wrong. */
BR_MUST_CHECK br_status br_model_load(const br_checkpoint_params *params, const br_log *log, br_model **out_model);
/* `name` is of architecture.h. */
BR_MUST_CHECK br_status br_model_load_architecture(const char *name, const br_log *log, br_model **out_model);
void br_model_unload(br_model *model);
/* BR_ERROR_UNSUPPORTED for an architecture without its files. */
BR_MUST_CHECK br_status br_model_check_drawable(const br_model *model);
br_model_task br_model_get_task(const br_model *model);
bool br_model_has(const br_model *model, br_component component);
/* What holds the part's matrices and kernels exactly: BR_F16 when those of the file that are not blocks are F16 or F8, else BR_F32. The model has that part. */
br_dtype br_model_stored_dtype(const br_model *model, br_component component);

#endif
