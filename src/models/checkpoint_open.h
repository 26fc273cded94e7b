/* Opens a model of any format: the one door through which checkpoints come. */
#ifndef BR_MODELS_CHECKPOINT_OPEN_H
#define BR_MODELS_CHECKPOINT_OPEN_H

#include "weights/checkpoint.h"

typedef struct br_checkpoint_params {
    const char *path; /* a diffusers folder, or a file of any format that br_weight_file_open knows */
    const char *
        config_path; /* a diffusers folder: configurations, tokenizers, scheduler and missing parts of a single file. NULL: from its tensors */
    const char *vae_path;   /* takes the place of the model's own VAE; as br_checkpoint_open_vae; NULL: none */
    const char *prediction; /* "epsilon", "v_prediction", "sample" in place of what the model says; NULL: as it says */
} br_checkpoint_params;

/* A single file need not have text encoders and a VAE: those parts are zeroed then. Errors: those of the readers; BR_ERROR_UNSUPPORTED for a file
 * without a UNet, naming what it has. On failure *out_checkpoint is zeroed. */
BR_MUST_CHECK br_status br_checkpoint_open(const br_checkpoint_params *params, br_checkpoint *out_checkpoint);
/* The VAE of a file (alone in it or not, an AutoencoderKL or TAESD) or of a diffusers folder of one component (config.json and weights). TAESD's decoder and
 * encoder are two files, of which the second is found beside the first. `scaling_factor` is that of the latents where the file cannot say. On failure *out_part is zeroed. */
BR_MUST_CHECK br_status br_checkpoint_open_vae(const char *path, double scaling_factor, br_checkpoint_part *out_part);

#endif
