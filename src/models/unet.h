/* UNet2DConditionModel (diffusers models/unets/unet_2d_condition.py). */
#ifndef BR_MODELS_UNET_H
#define BR_MODELS_UNET_H

#include "base/json.h"
#include "models/blocks.h"

#define BR_UNET_BLOCK_MAX 8
/* Residual blocks of a down block; far beyond any published UNet (2 or 3). Up blocks have one more. */
#define BR_UNET_LAYER_MAX 16

typedef enum br_unet_mid {
    BR_UNET_MID_NONE,        /* null (BK-SDM small and tiny) */
    BR_UNET_MID_RESNET,      /* UNetMidBlock2D, of which UNet2DConditionModel makes one residual block (SSD-1B, Vega) */
    BR_UNET_MID_TRANSFORMER, /* UNetMidBlock2DCrossAttn */
} br_unet_mid;

typedef struct br_unet_config {
    int sample_height, sample_width; /* latent pixels it was trained for; 0 when the file does not say */
    int in_channels, out_channels;
    int block_count;
    int block_out_channels[BR_UNET_BLOCK_MAX];
    bool down_attention[BR_UNET_BLOCK_MAX]; /* CrossAttnDownBlock2D */
    bool up_attention[BR_UNET_BLOCK_MAX];   /* CrossAttnUpBlock2D; in order of execution */
    int layers_per_block[BR_UNET_BLOCK_MAX];
    int heads[BR_UNET_BLOCK_MAX]; /* of down block i and of the up block that mirrors it */
    br_unet_mid mid;
    /* Transformer layers after each residual block, where the block attends. */
    int down_transformers[BR_UNET_BLOCK_MAX][BR_UNET_LAYER_MAX];
    int up_transformers[BR_UNET_BLOCK_MAX][BR_UNET_LAYER_MAX + 1]; /* in order of execution */
    int mid_transformers;
    int cross_attention_dim;
    int norm_num_groups;
    float norm_eps;
    bool flip_sin_to_cos;
    float freq_shift;
    int downsample_padding;
    int addition_time_embed_dim; /* addition_embed_type "text_time" (SDXL): sinusoids of each of time_ids; 0 without */
    int addition_input_dim;      /* pooled text and all those sinusoids together */
    int time_cond_proj_dim;      /* guidance embedding (LCM), 0 without */
} br_unet_config;

/* Refuses by name what is not supported. `what` names the file in messages. */
BR_MUST_CHECK br_status br_unet_config_read(const json_t *object, const char *what, br_unet_config *out_config);

typedef struct br_unet_inputs {
    br_value sample;             /* [B, H, W, in_channels] in the builder's dtype; any H, W >= 1 */
    br_value step;               /* br_graph_step */
    br_value cross;              /* [B, T, br_unet_cross_width], see br_unet_cross_build; BR_NONE where that width is 0, or with: */
    const br_value *cross_apart; /* what br_unet_cross_build makes apart, borrowed; else NULL */
    br_value text_embeds;        /* f32 [B, P], pooled text: addition_embed_type "text_time", else BR_NONE */
    br_value time_ids;           /* f32 [B, N], P + N · addition_time_embed_dim == addition_input_dim; else BR_NONE */
    br_value timestep_cond;      /* f32 [1 or B, time_cond_proj_dim], else BR_NONE */
} br_unet_inputs;

/* Keys and values of all cross-attentions side by side, in order of execution, each layer's keys before its values: they depend on the prompt alone, so they are
 * made once for all steps. context: [B, T, cross_attention_dim] in the builder's dtype -> [B, T, br_unet_cross_width].
 * With `out_apart`, which has br_unet_cross_count elements, each is a value of its own instead, [B, T, D]: rows that wide may fit no binding. */
br_value br_unet_cross_build(br_builder *builder, const br_unet_config *config, br_value context, br_value *out_apart);
int br_unet_cross_count(const br_unet_config *config);
/* Σ 2·D over the layers of all transformers; 0 for a UNet that attends to nothing. */
int64_t br_unet_cross_width(const br_unet_config *config);

/* The model's output (epsilon, v or sample) [B, H, W, out_channels]. */
br_value br_unet_build(br_builder *builder, const br_unet_config *config, const br_unet_inputs *inputs);

#endif
