#include "models/taesd.h"

#include <stdio.h>

#include "models/config.h"

/* The decoder takes tanh(x / 3) · 3, so that odd latents do no harm. */
#define LATENT_LIMIT 3.0f
#define BLOCKS_MAX 64

/* `latent_magnitude` and `latent_shift` are for latents stored as bytes; `block_out_channels` repeats the decoder's. */
static const char *const harmless[] = {"latent_magnitude", "latent_shift", "block_out_channels", "force_upcast", NULL};

/* Stages follow each other without a layer that could change their width. */
static int read_width(br_config *config, const char *key, int stages)
{
    int widths[BR_TAESD_STAGE_MAX];
    if (br_config_length(config, key) != stages)
        br_config_refuse(config, key, "a list of %d", stages);
    for (int i = 0; i < stages; i++) {
        br_config_nested_ints(
            config, &(br_config_nested){.key = key, .index = i, .count = stages, .inner = 1, .min = 1, .max = 1 << 14}, &widths[i]);
        if (widths[i] != widths[0])
            br_config_refuse(config, key, "the same width for every stage");
    }
    br_config_ignore(config, (const char *const[]){key, NULL});
    return widths[0];
}

br_status br_taesd_config_read(const json_t *object, const char *what, br_taesd_config *out_config)
{
    br_taesd_config taesd = {0};
    br_config config;
    br_config_init(&config, object, what);
    taesd.in_channels = br_config_int(&config, "in_channels", 1, 16, 3);
    taesd.out_channels = br_config_int(&config, "out_channels", 1, 16, 3);
    taesd.latent_channels = br_config_int(&config, "latent_channels", 1, 64, 4);
    taesd.scaling_factor = (float)br_config_double(&config, "scaling_factor", 1e-6, 1e6, 1);
    br_config_allow_null(&config, "shift_factor");
    taesd.shift_factor = (float)br_config_double(&config, "shift_factor", -1e6, 1e6, 0);
    taesd.stage_count = br_config_length(&config, "num_decoder_blocks");
    if (taesd.stage_count < 1 || taesd.stage_count > BR_TAESD_STAGE_MAX) {
        br_config_refuse(&config, "num_decoder_blocks", "a list of 1 to %d", BR_TAESD_STAGE_MAX);
        return br_config_finish(&config);
    }
    br_config_ints(&config, "num_decoder_blocks", taesd.stage_count, 1, BLOCKS_MAX, 0, taesd.decoder_blocks);
    br_config_ints(&config, "num_encoder_blocks", taesd.stage_count, 1, BLOCKS_MAX, 0, taesd.encoder_blocks);
    taesd.decoder_channels = read_width(&config, "decoder_block_out_channels", taesd.stage_count);
    taesd.encoder_channels = read_width(&config, "encoder_block_out_channels", taesd.stage_count);
    br_config_expect_string(&config, "act_fn", "relu");
    br_config_expect_string(&config, "upsample_fn", "nearest");
    br_config_expect_double(&config, "upsampling_scaling_factor", 2);
    br_config_ignore(&config, harmless);
    BR_TRY(br_config_finish(&config));
    *out_config = taesd;
    return NULL;
}

/* The layers of nn.Sequential, which counts those without weights too. */
typedef struct taesd_layers {
    br_builder *builder;
    int channels, next;
    br_value x;
} taesd_layers;

static void add_conv(taesd_layers *layers, br_layer_conv_params params)
{
    char name[16];
    snprintf(name, sizeof name, "%d", layers->next++);
    params.name = name;
    params.x = layers->x;
    params.kernel = 3;
    params.stride = params.stride ? params.stride : 1;
    params.pad_before = params.pad_after = 1;
    params.bias = params.residual = BR_NONE;
    layers->x = br_layer_conv(layers->builder, &params);
}

static void add_block(taesd_layers *layers)
{
    static const char *const names[] = {"0", "2", "4"};
    br_layer_conv_params params = {.x = layers->x,
                                   .out = layers->channels,
                                   .kernel = 3,
                                   .stride = 1,
                                   .pad_before = 1,
                                   .pad_after = 1,
                                   .bias = BR_NONE,
                                   .residual = BR_NONE,
                                   .activation = BR_ACTIVATION_RELU};
    size_t mark = br_builder_enter(layers->builder, "%d.conv", "block.%d", layers->next++);
    for (int i = 0; i < 3; i++) {
        params.name = names[i];
        params.residual = i == 2 ? layers->x : BR_NONE;
        params.x = br_layer_conv(layers->builder, &params);
    }
    br_builder_leave(layers->builder, mark);
    layers->x = params.x;
}

static br_value scaled(br_builder *builder, const char *name, br_value x, float scale, float shift)
{
    return br_op_convert(builder->graph, name,
                         &(br_convert_params){.x = x, .dtype = builder->dtype, .scale = scale, .shift = shift});
}

br_value br_taesd_decoder_build(br_builder *builder, const br_taesd_config *config, br_value latents)
{
    size_t mark = br_builder_enter(builder, "decoder.layers", "taesd/decoder");
    br_value x = scaled(builder, "third", latents, 1 / LATENT_LIMIT, 0);
    x = br_op_activation(builder->graph, "tanh", x, BR_ACTIVATION_TANH);
    taesd_layers layers = {
        .builder = builder, .channels = config->decoder_channels, .x = scaled(builder, "limited", x, LATENT_LIMIT, 0)};
    add_conv(&layers, (br_layer_conv_params){.out = layers.channels, .activation = BR_ACTIVATION_RELU});
    layers.next++; /* the ReLU */
    for (int i = 0; i < config->stage_count && layers.x != BR_NONE; i++) {
        bool last = i + 1 == config->stage_count;
        for (int j = 0; j < config->decoder_blocks[i]; j++)
            add_block(&layers);
        br_layer_conv_params conv = {.out = last ? config->out_channels : layers.channels, .without_bias = !last};
        if (!last && layers.x != BR_NONE) {
            br_shape shape = br_graph_shape(builder->graph, layers.x);
            conv.upsampled_height = 2 * shape.dim[1];
            conv.upsampled_width = 2 * shape.dim[2];
            layers.next++; /* the enlarging */
        }
        add_conv(&layers, conv);
    }
    x = scaled(builder, "signed", layers.x, 2, -1);
    br_builder_leave(builder, mark);
    return x;
}

br_value br_taesd_encoder_build(br_builder *builder, const br_taesd_config *config, br_value picture)
{
    size_t mark = br_builder_enter(builder, "encoder.layers", "taesd/encoder");
    taesd_layers layers = {
        .builder = builder, .channels = config->encoder_channels, .x = scaled(builder, "unsigned", picture, 0.5f, 0.5f)};
    for (int i = 0; i < config->stage_count; i++) {
        add_conv(&layers, (br_layer_conv_params){.out = layers.channels, .stride = i ? 2 : 1, .without_bias = i > 0});
        for (int j = 0; j < config->encoder_blocks[i]; j++)
            add_block(&layers);
    }
    add_conv(&layers, (br_layer_conv_params){.out = config->latent_channels});
    br_builder_leave(builder, mark);
    return layers.x;
}
