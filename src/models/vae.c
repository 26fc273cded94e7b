#include "models/vae.h"

#include "models/config.h"

/* AutoencoderKL builds every norm of encoder and decoder with this, whatever the config says. */
#define VAE_NORM_EPS 1e-6f

static const char *const down_names[] = {"DownEncoderBlock2D", NULL};
static const char *const up_names[] = {"UpDecoderBlock2D", NULL};
static const char *const lists[] = {"block_out_channels", "down_block_types", "up_block_types", NULL};

br_status br_vae_config_read(const json_t *object, const char *what, br_vae_config *out_config)
{
    br_vae_config vae = {0};
    br_config config;
    int height, width;
    br_config_init(&config, object, what);
    vae.in_channels = br_config_int(&config, "in_channels", 1, 16, 3);
    vae.out_channels = br_config_int(&config, "out_channels", 1, 16, 3);
    vae.latent_channels = br_config_int(&config, "latent_channels", 1, 64, 4);
    vae.layers_per_block = br_config_int(&config, "layers_per_block", 1, 16, 1);
    vae.norm_num_groups = br_config_int(&config, "norm_num_groups", 1, 1 << 12, 32);
    br_config_size(&config, "sample_size", 1 << 14, &height, &width); /* only diffusers' tiles depend on it */
    vae.scaling_factor = (float)br_config_double(&config, "scaling_factor", 1e-6, 1e6, 0.18215);
    br_config_allow_null(&config, "shift_factor");
    vae.shift_factor = (float)br_config_double(&config, "shift_factor", -1e6, 1e6, 0);
    vae.force_upcast = br_config_bool(&config, "force_upcast", true);
    vae.use_quant_conv = br_config_bool(&config, "use_quant_conv", true);
    vae.use_post_quant_conv = br_config_bool(&config, "use_post_quant_conv", true);
    vae.mid_block_add_attention = br_config_bool(&config, "mid_block_add_attention", true);
    vae.block_count = br_config_length(&config, "block_out_channels");
    if (vae.block_count < 1 || vae.block_count > BR_VAE_BLOCK_MAX)
        br_config_refuse(&config, "block_out_channels", "a list of 1 to %d", BR_VAE_BLOCK_MAX);
    else
        br_config_ints(&config, "block_out_channels", vae.block_count, 1, 1 << 14, 0, vae.block_out_channels);
    for (int i = 1; lists[i]; i++)
        if (br_config_length(&config, lists[i]) != vae.block_count)
            br_config_refuse(&config, lists[i], "a list of %d", vae.block_count);
    for (int i = 0; i < vae.block_count && i < BR_VAE_BLOCK_MAX; i++) {
        br_config_name_at(&config, "down_block_types", i, down_names);
        br_config_name_at(&config, "up_block_types", i, up_names);
        if (!config.error && vae.block_out_channels[i] % vae.norm_num_groups)
            config.error = br_fail(BR_ERROR_FORMAT, "%s: block %d has %d channels, expected a multiple of norm_num_groups = %d",
                                   what, i, vae.block_out_channels[i], vae.norm_num_groups);
    }
    br_config_expect_string(&config, "act_fn", "silu");
    br_config_ignore(&config, lists);
    BR_TRY(br_config_finish(&config));
    *out_config = vae;
    return NULL;
}

int br_vae_factor(const br_vae_config *config)
{
    return 1 << (config->block_count - 1);
}

static br_value resnets(br_builder *builder, const br_vae_config *config, br_value x, int count, int64_t out)
{
    for (int i = 0; i < count; i++) {
        size_t mark = br_builder_enter(builder, "resnets.%d", "res.%d", i);
        x = br_block_resnet(builder, &(br_resnet_params){.x = x,
                                                         .beside = BR_NONE,
                                                         .temb = BR_NONE,
                                                         .out = out,
                                                         .groups = config->norm_num_groups,
                                                         .eps = VAE_NORM_EPS,
                                                         .thrifty = true});
        br_builder_leave(builder, mark);
    }
    return x;
}

static br_value mid_block(br_builder *builder, const br_vae_config *config, br_value x)
{
    br_resnet_params params = {.x = x,
                               .beside = BR_NONE,
                               .temb = BR_NONE,
                               .out = config->block_out_channels[config->block_count - 1],
                               .groups = config->norm_num_groups,
                               .eps = VAE_NORM_EPS};
    size_t mid = br_builder_enter(builder, "mid_block", "mid");
    size_t mark = br_builder_enter(builder, "resnets.0", "res.0");
    params.x = br_block_resnet(builder, &params);
    br_builder_leave(builder, mark);
    if (config->mid_block_add_attention) {
        mark = br_builder_enter(builder, "attentions.0", "attn.0");
        params.x = br_block_vae_attention(builder, params.x, config->norm_num_groups, VAE_NORM_EPS);
        br_builder_leave(builder, mark);
    }
    mark = br_builder_enter(builder, "resnets.1", "res.1");
    params.x = br_block_resnet(builder, &params);
    br_builder_leave(builder, mark);
    br_builder_leave(builder, mid);
    return params.x;
}

static br_value quant_conv(br_builder *builder, const char *name, br_value x, int64_t channels)
{
    return br_layer_linear(builder,
                           &(br_layer_linear_params){.name = name, .x = x, .out = channels, .bias = true, .residual = BR_NONE});
}

br_value br_vae_decoder_build(br_builder *builder, const br_vae_config *config, br_value latents)
{
    br_graph_push(builder->graph, "vae");
    br_value x = config->use_post_quant_conv ? quant_conv(builder, "post_quant_conv", latents, config->latent_channels) : latents;
    size_t decoder = br_builder_enter(builder, "decoder", "decoder");
    x = br_layer_conv3x3(builder, "conv_in", x, config->block_out_channels[config->block_count - 1]);
    x = mid_block(builder, config, x);
    for (int i = 0; i < config->block_count; i++) {
        size_t mark = br_builder_enter(builder, "up_blocks.%d", "up.%d", i);
        x = resnets(builder, config, x, config->layers_per_block + 1, config->block_out_channels[config->block_count - 1 - i]);
        if (i + 1 < config->block_count && x != BR_NONE) {
            br_shape shape = br_graph_shape(builder->graph, x);
            size_t inner = br_builder_enter(builder, "upsamplers.0", "upsample");
            x = br_block_upsample(builder, x, 2 * shape.dim[1], 2 * shape.dim[2]);
            br_builder_leave(builder, inner);
        }
        br_builder_leave(builder, mark);
    }
    x = br_layer_group_norm(builder, "conv_norm_out", x, config->norm_num_groups, VAE_NORM_EPS, BR_ACTIVATION_SILU);
    x = br_layer_conv3x3(builder, "conv_out", x, config->out_channels);
    br_builder_leave(builder, decoder);
    br_graph_pop(builder->graph);
    return x;
}

br_value br_vae_encoder_build(br_builder *builder, const br_vae_config *config, br_value picture)
{
    br_graph_push(builder->graph, "vae");
    size_t encoder = br_builder_enter(builder, "encoder", "encoder");
    br_value x = br_layer_conv3x3(builder, "conv_in", picture, config->block_out_channels[0]);
    for (int i = 0; i < config->block_count; i++) {
        size_t mark = br_builder_enter(builder, "down_blocks.%d", "down.%d", i);
        x = resnets(builder, config, x, config->layers_per_block, config->block_out_channels[i]);
        if (i + 1 < config->block_count) {
            size_t inner = br_builder_enter(builder, "downsamplers.0", "downsample");
            /* Padded below and to the right only, as the original's F.pad(x, (0, 1, 0, 1)). */
            x = br_layer_conv(builder, &(br_layer_conv_params){.name = "conv",
                                                               .x = x,
                                                               .out = config->block_out_channels[i],
                                                               .kernel = 3,
                                                               .stride = 2,
                                                               .pad_before = 0,
                                                               .pad_after = 1,
                                                               .bias = BR_NONE,
                                                               .residual = BR_NONE});
            br_builder_leave(builder, inner);
        }
        br_builder_leave(builder, mark);
    }
    x = mid_block(builder, config, x);
    x = br_layer_group_norm(builder, "conv_norm_out", x, config->norm_num_groups, VAE_NORM_EPS, BR_ACTIVATION_SILU);
    x = br_layer_conv3x3(builder, "conv_out", x, 2 * (int64_t)config->latent_channels);
    br_builder_leave(builder, encoder);
    if (config->use_quant_conv)
        x = quant_conv(builder, "quant_conv", x, 2 * (int64_t)config->latent_channels);
    br_graph_pop(builder->graph);
    return x;
}
