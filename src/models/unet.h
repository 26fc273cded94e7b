/* UNet2DConditionModel (diffusers models/unets/unet_2d_condition.py). */
#ifndef BR_MODELS_UNET_H
#define BR_MODELS_UNET_H

#include "base/json.h"
#include "models/blocks.h"

#define BR_UNET_BLOCK_MAX 8

typedef struct br_unet_config {
    int sample_height, sample_width; /* latent pixels it was trained for; 0 when the file does not say */
    int in_channels, out_channels;
    int block_count;
    int block_out_channels[BR_UNET_BLOCK_MAX];
    bool down_attention[BR_UNET_BLOCK_MAX]; /* CrossAttnDownBlock2D */
    bool up_attention[BR_UNET_BLOCK_MAX];   /* CrossAttnUpBlock2D; in order of execution */
    int layers_per_block[BR_UNET_BLOCK_MAX];
    int heads[BR_UNET_BLOCK_MAX];              /* of down block i and of the up block that mirrors it */
    int transformer_layers[BR_UNET_BLOCK_MAX]; /* likewise */
    int cross_attention_dim;
    int norm_num_groups;
    float norm_eps;
    bool flip_sin_to_cos;
    float freq_shift;
    int downsample_padding;
} br_unet_config;

/* Refuses by name what is not supported. `what` names the file in messages. */
BR_MUST_CHECK br_status br_unet_config_read(const json_t *object, const char *what, br_unet_config *out_config);

typedef struct br_unet_inputs {
    br_value sample;  /* [B, H, W, in_channels] in the builder's dtype; any H, W >= 1 */
    br_value step;    /* br_graph_step */
    br_value context; /* [B, T, cross_attention_dim] in the builder's dtype */
} br_unet_inputs;

/* The model's output (epsilon, v or sample) [B, H, W, out_channels]. */
br_value br_unet_build(br_builder *builder, const br_unet_config *config, const br_unet_inputs *inputs);

#endif
