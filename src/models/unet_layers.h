/* The residual blocks of a UNet in order of execution, and the transformers behind them: what the products that are made for all of them at once walk over. */
#ifndef BR_MODELS_UNET_LAYERS_H
#define BR_MODELS_UNET_LAYERS_H

#include "models/unet.h"

#define BR_UNET_LAYERS_MAX (2 * BR_UNET_BLOCK_MAX * (BR_UNET_LAYER_MAX + 1) + 2)

typedef struct br_unet_layer {
    char block[32]; /* "down_blocks.1" */
    int index;      /* resnets.INDEX, attentions.INDEX */
    int64_t channels;
    int transformers; /* layers of its transformer; 0: none follows it */
} br_unet_layer;

/* Returns their number. */
int br_unet_layers_list(const br_unet_config *config, br_unet_layer out_layers[BR_UNET_LAYERS_MAX]);

/* f32 [1 or B, all channels]: for each layer, its time embedding's projection of `temb` (silu applied) and the bias of its first convolution. */
br_value br_unet_layers_time(br_builder *builder, const br_unet_config *config, br_value temb);

#endif
