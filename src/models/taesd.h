/* AutoencoderTiny (diffusers models/autoencoders/autoencoder_tiny.py): TAESD and TAESDXL, which stand in for a VAE at a hundredth of its work. */
#ifndef BR_MODELS_TAESD_H
#define BR_MODELS_TAESD_H

#include "base/json.h"
#include "models/blocks.h"

#define BR_TAESD_STAGE_MAX 8

typedef struct br_taesd_config {
    int in_channels, out_channels, latent_channels;
    int stage_count;                        /* a latent pixel is 2^(stages - 1) pixels of the picture along each side: f below */
    int encoder_channels, decoder_channels; /* of every stage */
    int encoder_blocks[BR_TAESD_STAGE_MAX], decoder_blocks[BR_TAESD_STAGE_MAX];
    float scaling_factor, shift_factor; /* latents of the UNet = (latents - shift) · scaling */
} br_taesd_config;

BR_MUST_CHECK br_status br_taesd_config_read(const json_t *object, const char *what, br_taesd_config *out_config);

/* latents [B, h, w, latent_channels] as the UNet leaves them, divided by scaling_factor -> picture [B, h·f, w·f, out_channels], about [-1, 1]. */
br_value br_taesd_decoder_build(br_builder *builder, const br_taesd_config *config, br_value latents);
/* picture [B, H, W, in_channels] -> latents [B, H/f, W/f, latent_channels], not multiplied by scaling_factor. There is nothing to sample. */
br_value br_taesd_encoder_build(br_builder *builder, const br_taesd_config *config, br_value picture);

#endif
