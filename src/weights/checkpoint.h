/* A model as its files describe it: one weight set a component, under the names that diffusers and transformers give the tensors, and the
 * configurations as JSON. A diffusers folder has them as files (diffusers_dir.h); for a single file they are derived from the tensors.
 * What the configurations mean is the models' business. */
#ifndef BR_WEIGHTS_CHECKPOINT_H
#define BR_WEIGHTS_CHECKPOINT_H

#include "base/json.h"
#include "weights/weights.h"

/* All zero: the checkpoint has no such component. */
typedef struct br_checkpoint_part {
    char *class_name;    /* owned; "UNet2DConditionModel" */
    char *config_path;   /* owned; "…/unet/config.json": names `config` in messages */
    json_t *config;      /* owned */
    char *weights_path;  /* owned; the weight file, or the index of its shards */
    br_weights *weights; /* owned */
} br_checkpoint_part;

typedef struct br_checkpoint {
    char *path;                                      /* owned; of the folder or the file */
    char *class_name;                                /* owned; of the pipeline: "StableDiffusionXLPipeline" */
    br_checkpoint_part text_encoder, text_encoder_2; /* CLIPTextModel, CLIPTextModelWithProjection: either, or both */
    br_checkpoint_part unet, vae;                    /* the VAE's class: AutoencoderKL or AutoencoderTiny */
    char *tokenizer_path, *tokenizer_2_path;         /* owned; folders. NULL beside a text encoder: CLIP's own vocabulary, … */
    const char *tokenizer_pad, *tokenizer_2_pad;     /* … padded with this (br_clip_bpe_open_shipped); a literal or NULL */
    char *scheduler_path;                            /* owned; "…/scheduler/scheduler_config.json": names `scheduler` */
    json_t *scheduler;                               /* owned */
    json_t *index;                                   /* owned; model_index.json: "force_zeros_for_empty_prompt", … */
    json_t *drawing;                                 /* owned; brume.json, the folder's drawing defaults; NULL: none */
    const char *format; /* a literal: "diffusers folder", "safetensors", "gguf", "ckpt", "architecture" */
    char *family;       /* owned; "Stable Diffusion 2, v-prediction"; NULL: not known */
    char **odd;         /* owned; sentences about what has no place or is not as usual */
    int odd_count;
} br_checkpoint;

/* Adds a sentence to `odd`. */
BR_MUST_CHECK br_status br_checkpoint_note(br_checkpoint *checkpoint, const char *format, ...) BR_PRINTF(2, 3);
/* Takes a zeroed one. */
void br_checkpoint_part_finish(br_checkpoint_part *part);
/* Takes a zeroed one. */
void br_checkpoint_finish(br_checkpoint *checkpoint);

#endif
