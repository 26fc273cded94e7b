/* AutoencoderKL's and AutoencoderTiny's configuration from their tensors. */
#include <stdio.h>
#include <string.h>

#include "models/infer_shape.h"
#include "models/vae.h"

#define LAYERS_MAX 16
/* Layers of TAESD's lists (16 and 19). */
#define TINY_LAYERS_MAX 64

static br_status infer_kl(const br_weights *weights, double scaling_factor, const char *file, json_t **out_config)
{
    int latents, count = 0, layers = 0;
    char name[100];
    BR_TRY(br_shape_need(weights, file, "decoder.conv_in.weight", 1, &latents));
    while (count < BR_VAE_BLOCK_MAX && br_shape_find(weights, "decoder.up_blocks.%d.resnets.0.conv1.weight", count))
        count++;
    while (layers < LAYERS_MAX && br_shape_find(weights, "decoder.up_blocks.0.resnets.%d.conv1.weight", layers))
        layers++;
    if (layers < 2)
        return br_fail(BR_ERROR_FORMAT, "%s has no tensor for decoder.up_blocks.0.resnets.%d.conv1.weight", file, layers);
    json_t *config =
        json_pack("{s:s, s:i, s:i, s:f, s:i, s:b, s:b, s:b, s:b}", "_class_name", "AutoencoderKL", "latent_channels", latents,
                  "layers_per_block", layers - 1, "scaling_factor", scaling_factor, "norm_num_groups", BR_SHAPE_GROUPS,
                  "use_quant_conv", br_shape_find(weights, "quant_conv.weight") != NULL, "use_post_quant_conv",
                  br_shape_find(weights, "post_quant_conv.weight") != NULL, "mid_block_add_attention",
                  br_shape_find(weights, "decoder.mid_block.attentions.0.to_q.weight") != NULL, "force_upcast", true);
    json_t *channels = json_array(), *down = json_array(), *up = json_array();
    br_status status = config ? NULL : br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "%s: out of host memory", file);
    for (int i = 0; i < count && !status; i++) {
        int size = 0;
        snprintf(name, sizeof name, "decoder.up_blocks.%d.resnets.0.conv1.weight", count - 1 - i);
        status = br_shape_need(weights, file, name, 0, &size);
        if (!status && size % BR_SHAPE_GROUPS)
            status = br_fail(BR_ERROR_UNSUPPORTED,
                             "%s: block %d of the VAE has %d channels, no multiple of %d: its group norm cannot be known from the "
                             "tensors (give a folder of this architecture with --config)",
                             file, i, size, BR_SHAPE_GROUPS);
        json_array_append_new(channels, json_integer(size));
        json_array_append_new(down, json_string("DownEncoderBlock2D"));
        json_array_append_new(up, json_string("UpDecoderBlock2D"));
    }
    json_object_set_new(config, "block_out_channels", channels);
    json_object_set_new(config, "down_block_types", down);
    json_object_set_new(config, "up_block_types", up);
    if (status) {
        json_decref(config);
        return status;
    }
    *out_config = config;
    return NULL;
}

/* Runs of residual blocks between TAESD's plain convolutions: [1, 3, 3, 3] and [3, 3, 3, 1]. An empty list when the half is not there. */
static json_t *tiny_blocks(const br_weights *weights, const char *half)
{
    json_t *list = json_array();
    int run = 0, convolutions = 0;
    for (int i = 0; i < TINY_LAYERS_MAX; i++) {
        if (br_shape_find(weights, "%s.layers.%d.conv.0.weight", half, i)) {
            run++;
        } else if (br_shape_find(weights, "%s.layers.%d.weight", half, i)) {
            if (convolutions++ && run)
                json_array_append_new(list, json_integer(run));
            run = 0;
        }
    }
    return list;
}

static json_t *repeated(int value, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, json_integer(value));
    return list;
}

/* Values other than the shapes are those of diffusers' AutoencoderTiny, which has no others. */
static br_status infer_tiny(const br_weights *weights, const char *file, json_t **out_config)
{
    int latents, channels;
    BR_TRY(br_shape_need(weights, file, "decoder.layers.0.weight", 1, &latents));
    BR_TRY(br_shape_need(weights, file, "decoder.layers.0.weight", 0, &channels));
    json_t *decoder = tiny_blocks(weights, "decoder"), *encoder = tiny_blocks(weights, "encoder");
    size_t count = json_array_size(decoder);
    if (json_array_size(encoder) == 0) /* a decoder alone: as if the encoder were its mirror */
        for (size_t i = count; i > 0; i--)
            json_array_append(encoder, json_array_get(decoder, i - 1));
    return br_shape_json(json_pack("{s:s, s:i, s:i, s:i, s:o, s:o, s:o, s:o, s:f}", "_class_name", "AutoencoderTiny", "in_channels",
                                   3, "out_channels", 3, "latent_channels", latents, "num_encoder_blocks", encoder,
                                   "num_decoder_blocks", decoder, "encoder_block_out_channels", repeated(channels, count),
                                   "decoder_block_out_channels", repeated(channels, count), "scaling_factor", 1.0),
                         file, out_config);
}

br_status br_infer_vae(const br_weights *weights, double scaling_factor, const char *file, const char **out_class,
                       json_t **out_config)
{
    *out_config = NULL;
    bool tiny = br_shape_find(weights, "decoder.layers.0.weight");
    *out_class = tiny ? "AutoencoderTiny" : "AutoencoderKL";
    return tiny ? infer_tiny(weights, file, out_config) : infer_kl(weights, scaling_factor, file, out_config);
}
