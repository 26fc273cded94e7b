/* AutoencoderKL (diffusers models/autoencoders/autoencoder_kl.py): pictures [-1, 1] to latent moments, latents to pictures. */
#ifndef BR_MODELS_VAE_H
#define BR_MODELS_VAE_H

#include "base/json.h"
#include "models/blocks.h"

#define BR_VAE_BLOCK_MAX 8

typedef struct br_vae_config {
    int in_channels, out_channels, latent_channels;
    int block_count;
    int block_out_channels[BR_VAE_BLOCK_MAX];
    int layers_per_block;
    int norm_num_groups;
    float scaling_factor, shift_factor; /* latents of the UNet = (latents - shift) · scaling */
    bool force_upcast;                  /* activations overflow 16-bit floats: run it in f32 */
    bool use_quant_conv, use_post_quant_conv, mid_block_add_attention;
} br_vae_config;

BR_MUST_CHECK br_status br_vae_config_read(const json_t *object, const char *what, br_vae_config *out_config);
/* Picture pixels a latent pixel, along each side: 2^(blocks - 1). */
int br_vae_factor(const br_vae_config *config);

/* latents [B, h, w, latent_channels] as the UNet leaves them, divided by scaling_factor -> picture [B, h·f, w·f, out_channels], about [-1, 1]. */
br_value br_vae_decoder_build(br_builder *builder, const br_vae_config *config, br_value latents);
/* picture [B, H, W, in_channels] -> moments [B, H/f, W/f, 2 · latent_channels]: mean, then log variance; not multiplied by scaling_factor. */
br_value br_vae_encoder_build(br_builder *builder, const br_vae_config *config, br_value picture);

#endif
