/* Configurations of a model whose file has none, from the names and shapes of its tensors: JSON with the keys of diffusers' and transformers'
 * config.json, for the readers of those. What no shape says (how many heads share a width, what the output predicts) follows from the family. */
#ifndef BR_MODELS_INFER_H
#define BR_MODELS_INFER_H

#include "base/json.h"
#include "weights/weights.h"

typedef enum br_family {
    BR_FAMILY_SD1,
    BR_FAMILY_SD2,
    BR_FAMILY_SDXL,
    BR_FAMILY_SDXL_REFINER,
} br_family;

/* What is known of a model as a whole. */
typedef struct br_inferred {
    br_family family;
    int in_channels, latent_channels; /* of the UNet's input and output */
    bool guidance_embedding;          /* LCM */
    const char *prediction;           /* "epsilon", "v_prediction", "sample": a literal */
    bool zero_snr;                    /* trained with zero terminal SNR */
} br_inferred;

/* `file` names the tensors' file in messages. Errors: BR_ERROR_FORMAT or BR_ERROR_UNSUPPORTED naming the tensor that is missing or does not fit. */

/* The family from the UNet and, where that leaves it open, the text encoders. prediction: epsilon or, where the output's statistics say so, v_prediction. */
typedef struct br_infer_family_params {
    const br_weights *unet, *text, *text_2; /* the texts may be NULL */
    bool open_clip;                         /* `text` has OpenCLIP's names */
    const char *file;
} br_infer_family_params;
BR_MUST_CHECK br_status br_infer_family(const br_infer_family_params *params, br_inferred *out_inferred);
/* "Stable Diffusion 2, inpainting, v-prediction" into `text`; returns `text`. */
char *br_inferred_name(const br_inferred *inferred, char *text, size_t size);
/* diffusers' class of pipelines: a literal. */
const char *br_inferred_pipeline(const br_inferred *inferred);

/* The caller owns *out_config. */
BR_MUST_CHECK br_status br_infer_unet(const br_weights *weights, const br_inferred *inferred, const char *file,
                                      json_t **out_config);
/* `last_dropped`: the file has the last layer, which SD2 does not run. `projected`: CLIPTextModelWithProjection. */
typedef struct br_infer_text_params {
    const br_weights *weights;
    const char *file;
    bool quick_gelu, last_dropped, projected;
} br_infer_text_params;
BR_MUST_CHECK br_status br_infer_text(const br_infer_text_params *params, json_t **out_config);
/* AutoencoderKL, or AutoencoderTiny where the tensors are TAESD's: *out_class is a literal. `scaling_factor` of the latents: br_inferred_scaling. */
BR_MUST_CHECK br_status br_infer_vae(const br_weights *weights, double scaling_factor, const char *file, const char **out_class,
                                     json_t **out_config);
double br_inferred_scaling(const br_inferred *inferred);
/* What diffusers' from_single_file gives the family. */
BR_MUST_CHECK br_status br_infer_scheduler(const br_inferred *inferred, json_t **out_config);
/* Members of model_index.json: force_zeros_for_empty_prompt, requires_aesthetics_score. */
BR_MUST_CHECK br_status br_infer_index(const br_inferred *inferred, json_t **out_index);

#endif
