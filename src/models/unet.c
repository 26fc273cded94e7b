#include "models/unet.h"

#include "models/config.h"

/* Longest period of the timestep's sinusoids; not configurable in diffusers. */
#define TIMESTEP_MAX_PERIOD 10000.0f
/* time_embed_dim = 4 · block_out_channels[0] */
#define TIME_EMBED_FACTOR 4
/* Far beyond any published UNet (2 or 3). */
#define LAYERS_PER_BLOCK_MAX 16

static const char *const down_names[] = {"DownBlock2D", "CrossAttnDownBlock2D", NULL};
static const char *const up_names[] = {"UpBlock2D", "CrossAttnUpBlock2D", NULL};

/* Keys of diffusers' UNet2DConditionModel that do not change what inference computes. */
static const char *const harmless[] = {"dropout", "upcast_attention", "addition_embed_type_num_heads", "attention_type_num_heads",
                                       NULL};

static void read_blocks(br_config *config, br_unet_config *unet)
{
    static const char *const lists[] = {"block_out_channels", "down_block_types", "up_block_types", NULL};
    unet->block_count = br_config_length(config, "block_out_channels");
    if (unet->block_count < 1 || unet->block_count > BR_UNET_BLOCK_MAX) {
        br_config_refuse(config, "block_out_channels", "a list of 1 to %d", BR_UNET_BLOCK_MAX);
        unet->block_count = 0; /* the arrays hold no more */
        return;
    }
    for (int i = 1; i < 3; i++)
        if (br_config_length(config, lists[i]) != unet->block_count)
            br_config_refuse(config, lists[i], "a list of %d", unet->block_count);
    for (int i = 0; i < unet->block_count; i++) {
        unet->down_attention[i] = br_config_name_at(config, "down_block_types", i, down_names) == 1;
        unet->up_attention[i] = br_config_name_at(config, "up_block_types", i, up_names) == 1;
    }
    br_config_ints(config, "block_out_channels", unet->block_count, 1, 1 << 14, 0, unet->block_out_channels);
    br_config_ints(config, "layers_per_block", unet->block_count, 1, LAYERS_PER_BLOCK_MAX, 2, unet->layers_per_block);
    br_config_ints(config, "transformer_layers_per_block", unet->block_count, 1, 64, 1, unet->transformer_layers);
    br_config_ignore(config, lists);

    br_config_expect_string(config, "mid_block_type", "UNetMidBlock2DCrossAttn");
}

/* diffusers reads attention_head_dim as the number of heads unless num_attention_heads is given (its issue 2011): so do the files. */
static void read_heads(br_config *config, br_unet_config *unet)
{
    const char *key =
        json_is_null(json_object_get(config->left, "num_attention_heads")) || !json_object_get(config->left, "num_attention_heads")
            ? "attention_head_dim"
            : "num_attention_heads";
    br_config_ints(config, key, unet->block_count, 1, 1 << 12, 8, unet->heads);
    br_config_ignore(config, (const char *const[]){"attention_head_dim", NULL});
    for (int i = 0; i < unet->block_count && !config->error; i++) {
        bool attends = unet->down_attention[i] || unet->up_attention[unet->block_count - 1 - i] || i == unet->block_count - 1;
        if (attends && unet->block_out_channels[i] % unet->heads[i])
            config->error = br_fail(BR_ERROR_FORMAT, "%s: block %d has %d channels, expected a multiple of its %d attention heads",
                                    config->what, i, unet->block_out_channels[i], unet->heads[i]);
        else if (unet->block_out_channels[i] % unet->norm_num_groups)
            config->error = br_fail(BR_ERROR_FORMAT, "%s: block %d has %d channels, expected a multiple of norm_num_groups = %d",
                                    config->what, i, unet->block_out_channels[i], unet->norm_num_groups);
    }
}

br_status br_unet_config_read(const json_t *object, const char *what, br_unet_config *out_config)
{
    br_unet_config unet = {0};
    br_config config;
    br_config_init(&config, object, what);
    br_config_size(&config, "sample_size", 1 << 14, &unet.sample_height, &unet.sample_width);
    unet.in_channels = br_config_int(&config, "in_channels", 1, 64, 4);
    unet.out_channels = br_config_int(&config, "out_channels", 1, 64, 4);
    unet.norm_num_groups = br_config_int(&config, "norm_num_groups", 1, 1 << 12, 32);
    unet.norm_eps = (float)br_config_double(&config, "norm_eps", BR_NORM_EPS_MIN, 1, 1e-5);
    unet.cross_attention_dim = br_config_int(&config, "cross_attention_dim", 1, 1 << 14, 1280);
    unet.flip_sin_to_cos = br_config_bool(&config, "flip_sin_to_cos", true);
    unet.freq_shift = (float)br_config_double(&config, "freq_shift", -1e4, 1e4, 0);
    unet.downsample_padding = br_config_int(&config, "downsample_padding", 1, 1, 1);
    read_blocks(&config, &unet);
    read_heads(&config, &unet);
    br_config_bool(&config, "use_linear_projection", false); /* both forms are the same product; binding accepts either shape */
    br_config_expect_bool(&config, "center_input_sample", false);
    br_config_expect_double(&config, "mid_block_scale_factor", 1);
    br_config_expect_double(&config, "resnet_out_scale_factor", 1);
    br_config_expect_string(&config, "act_fn", "silu");
    br_config_expect_string(&config, "resnet_time_scale_shift", "default");
    br_config_expect_string(&config, "time_embedding_type", "positional");
    br_config_expect_string(&config, "attention_type", "default");
    br_config_expect_double(&config, "conv_in_kernel", 3);
    br_config_expect_double(&config, "conv_out_kernel", 3);
    br_config_ignore(&config, harmless);
    BR_TRY(br_config_finish(&config));
    *out_config = unet;
    return NULL;
}

/* Feature maps that the down path leaves for the up path. */
typedef struct skip_stack {
    br_value maps[BR_UNET_BLOCK_MAX * (LAYERS_PER_BLOCK_MAX + 1) + 1];
    int count;
} skip_stack;

typedef struct unet_build {
    br_builder *builder;
    const br_unet_config *config;
    br_value temb; /* silu(time embedding) f32 [1, D] */
    br_value context;
    skip_stack skips;
} unet_build;

static br_value time_embedding(unet_build *unet, br_value step)
{
    br_graph *graph = unet->builder->graph;
    int64_t base = unet->config->block_out_channels[0], wide = TIME_EMBED_FACTOR * base;
    br_value t = br_op_timestep_embedding(graph, "timestep_embedding",
                                          &(br_timestep_embedding_params){.step = step,
                                                                          .dim = base,
                                                                          .flip_sin_to_cos = unet->config->flip_sin_to_cos,
                                                                          .freq_shift = unet->config->freq_shift,
                                                                          .max_period = TIMESTEP_MAX_PERIOD});
    size_t mark = br_builder_enter(unet->builder, "time_embedding", "time");
    t = br_layer_linear(
        unet->builder,
        &(br_layer_linear_params){
            .name = "linear_1", .x = t, .out = wide, .bias = true, .activation = BR_ACTIVATION_SILU, .residual = BR_NONE});
    /* Every residual block starts from silu(temb): it is applied once, here. */
    t = br_layer_linear(
        unet->builder,
        &(br_layer_linear_params){
            .name = "linear_2", .x = t, .out = wide, .bias = true, .activation = BR_ACTIVATION_SILU, .residual = BR_NONE});
    br_builder_leave(unet->builder, mark);
    return t;
}

static br_value resnet(unet_build *unet, br_value x, int index, int64_t out)
{
    size_t mark = br_builder_enter(unet->builder, "resnets.%d", "res.%d", index);
    x = br_block_resnet(
        unet->builder,
        &(br_resnet_params){
            .x = x, .temb = unet->temb, .out = out, .groups = unet->config->norm_num_groups, .eps = unet->config->norm_eps});
    br_builder_leave(unet->builder, mark);
    return x;
}

static br_value transformer(unet_build *unet, br_value x, int index, int block)
{
    size_t mark = br_builder_enter(unet->builder, "attentions.%d", "attn.%d", index);
    x = br_block_transformer(unet->builder, &(br_transformer_params){.x = x,
                                                                     .context = unet->context,
                                                                     .heads = unet->config->heads[block],
                                                                     .layers = unet->config->transformer_layers[block],
                                                                     .groups = unet->config->norm_num_groups});
    br_builder_leave(unet->builder, mark);
    return x;
}

static void push_skip(unet_build *unet, br_value x)
{
    unet->skips.maps[unet->skips.count++] = x;
}

static br_value down_block(unet_build *unet, br_value x, int block)
{
    const br_unet_config *config = unet->config;
    size_t mark = br_builder_enter(unet->builder, "down_blocks.%d", "down.%d", block);
    for (int i = 0; i < config->layers_per_block[block]; i++) {
        x = resnet(unet, x, i, config->block_out_channels[block]);
        if (config->down_attention[block])
            x = transformer(unet, x, i, block);
        push_skip(unet, x);
    }
    if (block + 1 < config->block_count) {
        size_t inner = br_builder_enter(unet->builder, "downsamplers.0", "downsample");
        x = br_layer_conv(unet->builder, &(br_layer_conv_params){.name = "conv",
                                                                 .x = x,
                                                                 .out = config->block_out_channels[block],
                                                                 .kernel = 3,
                                                                 .stride = 2,
                                                                 .pad_before = config->downsample_padding,
                                                                 .pad_after = config->downsample_padding,
                                                                 .bias = BR_NONE,
                                                                 .residual = BR_NONE});
        br_builder_leave(unet->builder, inner);
        push_skip(unet, x);
    }
    br_builder_leave(unet->builder, mark);
    return x;
}

static br_value mid_block(unet_build *unet, br_value x)
{
    int last = unet->config->block_count - 1;
    size_t mark = br_builder_enter(unet->builder, "mid_block", "mid");
    x = resnet(unet, x, 0, unet->config->block_out_channels[last]);
    x = transformer(unet, x, 0, last);
    x = resnet(unet, x, 1, unet->config->block_out_channels[last]);
    br_builder_leave(unet->builder, mark);
    return x;
}

/* `index` counts in order of execution; it mirrors down block block_count - 1 - index. */
static br_value up_block(unet_build *unet, br_value x, int index)
{
    const br_unet_config *config = unet->config;
    int mirror = config->block_count - 1 - index;
    size_t mark = br_builder_enter(unet->builder, "up_blocks.%d", "up.%d", index);
    for (int i = 0; i < config->layers_per_block[mirror] + 1; i++) {
        size_t inner = br_builder_enter(unet->builder, "resnets.%d", "res.%d", i);
        x = br_op_concat(unet->builder->graph, "skip", x, unet->skips.maps[--unet->skips.count]);
        br_builder_leave(unet->builder, inner);
        x = resnet(unet, x, i, config->block_out_channels[mirror]);
        if (config->up_attention[index])
            x = transformer(unet, x, i, mirror);
    }
    if (index + 1 < config->block_count && !br_graph_failed(unet->builder->graph)) {
        /* To the size of the next skip, which need not be twice ours: so every height and width works. */
        br_shape next = br_graph_shape(unet->builder->graph, unet->skips.maps[unet->skips.count - 1]);
        size_t inner = br_builder_enter(unet->builder, "upsamplers.0", "upsample");
        x = br_block_upsample(unet->builder, x, next.dim[1], next.dim[2]);
        br_builder_leave(unet->builder, inner);
    }
    br_builder_leave(unet->builder, mark);
    return x;
}

br_value br_unet_build(br_builder *builder, const br_unet_config *config, const br_unet_inputs *inputs)
{
    unet_build unet = {.builder = builder, .config = config, .context = inputs->context};
    br_graph_push(builder->graph, "unet");
    unet.temb = time_embedding(&unet, inputs->step);
    br_value x = br_layer_conv3x3(builder, "conv_in", inputs->sample, config->block_out_channels[0]);
    push_skip(&unet, x);
    for (int i = 0; i < config->block_count; i++)
        x = down_block(&unet, x, i);
    x = mid_block(&unet, x);
    for (int i = 0; i < config->block_count; i++)
        x = up_block(&unet, x, i);
    x = br_layer_group_norm(builder, "conv_norm_out", x, config->norm_num_groups, config->norm_eps, BR_ACTIVATION_SILU);
    x = br_layer_conv3x3(builder, "conv_out", x, config->out_channels);
    br_graph_pop(builder->graph);
    return x;
}
