#include "models/unet.h"

#include <string.h>

#include "models/config.h"
#include "models/unet_layers.h"

/* Longest period of the timestep's sinusoids; not configurable in diffusers. */
#define TIMESTEP_MAX_PERIOD 10000.0f
/* time_embed_dim = 4 · block_out_channels[0] */
#define TIME_EMBED_FACTOR 4
#define TRANSFORMERS_MAX 64

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
    br_config_ints(config, "layers_per_block", unet->block_count, 1, BR_UNET_LAYER_MAX, 2, unet->layers_per_block);
    br_config_ignore(config, lists);
}

static void read_mid(br_config *config, br_unet_config *unet)
{
    char name[32];
    unet->mid = BR_UNET_MID_NONE;
    if (!config->error && json_is_null(json_object_get(config->left, "mid_block_type")))
        return;
    br_config_string(config, "mid_block_type", "UNetMidBlock2DCrossAttn", name, sizeof name);
    if (strcmp(name, "UNetMidBlock2DCrossAttn") == 0)
        unet->mid = BR_UNET_MID_TRANSFORMER;
    else if (strcmp(name, "UNetMidBlock2D") == 0)
        unet->mid = BR_UNET_MID_RESNET;
    else if (!config->error)
        config->error =
            br_fail(BR_ERROR_UNSUPPORTED, "%s: mid_block_type = \"%s\", expected UNetMidBlock2DCrossAttn, UNetMidBlock2D or null",
                    config->what, name);
}

/* A block that attends has a transformer after each residual block. */
static void check_transformers(br_config *config, const char *key, const int *numbers, int count)
{
    for (int i = 0; i < count; i++)
        if (numbers[i] < 1)
            br_config_refuse(config, key, "at least 1 where a block attends");
}

/* Numbers for every layer (SSD-1B, Vega) come with a list for the up path, whose blocks have one layer more; else that mirrors the down path. */
static void read_transformers(br_config *config, br_unet_config *unet)
{
    static const char down_key[] = "transformer_layers_per_block", up_key[] = "reverse_transformer_layers_per_block";
    br_config_allow_null(config, up_key);
    bool nested = false, reverse = !config->error && json_object_get(config->left, up_key);
    const json_t *item, *list = config->error ? NULL : json_object_get(config->left, down_key);
    for (size_t i = 0; (item = json_array_get(list, i)); i++)
        nested |= json_is_array(item);
    if (nested && !reverse)
        br_config_refuse(config, up_key, "lists too, as %s has them", down_key);
    int count = unet->block_count;
    br_config_nested down = {.key = down_key, .count = count, .max = TRANSFORMERS_MAX, .fallback = 1};
    br_config_nested up = {.key = reverse ? up_key : down_key, .count = count, .max = TRANSFORMERS_MAX, .fallback = 1};
    for (int i = 0; i < count; i++) {
        down.index = i;
        down.inner = unet->layers_per_block[i];
        br_config_nested_ints(config, &down, unet->down_transformers[i]);
        if (unet->down_attention[i])
            check_transformers(config, down_key, unet->down_transformers[i], down.inner);
        up.index = reverse ? i : count - 1 - i;
        up.inner = unet->layers_per_block[count - 1 - i] + 1;
        br_config_nested_ints(config, &up, unet->up_transformers[i]);
        if (unet->up_attention[i])
            check_transformers(config, up.key, unet->up_transformers[i], up.inner);
    }
    if (unet->mid == BR_UNET_MID_TRANSFORMER && count) {
        unet->mid_transformers = unet->down_transformers[count - 1][0];
        check_transformers(config, down_key, &unet->mid_transformers, 1);
    }
    br_config_ignore(config, (const char *const[]){down_key, up_key, NULL});
}

/* What is added to the time embedding. */
static void read_conditioning(br_config *config, br_unet_config *unet)
{
    br_config_allow_null(config, "time_cond_proj_dim");
    unet->time_cond_proj_dim = br_config_int(config, "time_cond_proj_dim", 1, 1 << 14, 0);
    br_config_allow_null(config, "addition_embed_type");
    if (config->error || !json_object_get(config->left, "addition_embed_type"))
        return;
    br_config_expect_string(config, "addition_embed_type", "text_time");
    br_config_allow_null(config, "addition_time_embed_dim");
    br_config_allow_null(config, "projection_class_embeddings_input_dim");
    unet->addition_time_embed_dim = br_config_int(config, "addition_time_embed_dim", 2, 1 << 13, 0);
    unet->addition_input_dim = br_config_int(config, "projection_class_embeddings_input_dim", 1, 1 << 16, 0);
    if (!config->error && (!unet->addition_time_embed_dim || !unet->addition_input_dim))
        config->error = br_fail(BR_ERROR_FORMAT,
                                "%s: addition_embed_type needs addition_time_embed_dim and projection_class_embeddings_input_dim",
                                config->what);
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
        bool attends = unet->down_attention[i] || unet->up_attention[unet->block_count - 1 - i] ||
                       (i == unet->block_count - 1 && unet->mid == BR_UNET_MID_TRANSFORMER);
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
    read_mid(&config, &unet);
    read_transformers(&config, &unet);
    read_conditioning(&config, &unet);
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
    br_value maps[BR_UNET_BLOCK_MAX * (BR_UNET_LAYER_MAX + 1) + 1];
    int count;
} skip_stack;

typedef struct unet_build {
    br_builder *builder;
    const br_unet_config *config;
    br_value time; /* of all residual blocks, br_unet_layers_time */
    br_value cross;
    const br_value *cross_apart;       /* of the next transformer, or NULL */
    int64_t time_column, cross_column; /* those of the next residual block and transformer */
    skip_stack skips;
} unet_build;

/* The two layers of every embedding; activation and residual (BR_NONE) are the second one's, in this order. */
typedef struct embedding_params {
    br_value x;
    int64_t out;
    br_activation activation;
    br_value residual;
} embedding_params;

static br_value embedding(br_builder *builder, const embedding_params *params)
{
    br_layer_linear_params linear = {.name = "linear_1",
                                     .x = params->x,
                                     .out = params->out,
                                     .bias = true,
                                     .activation = BR_ACTIVATION_SILU,
                                     .residual = BR_NONE};
    linear.x = br_layer_linear(builder, &linear);
    linear.name = "linear_2";
    linear.activation = params->activation;
    linear.residual = params->residual;
    return br_layer_linear(builder, &linear);
}

static br_value sinusoids(unet_build *unet, const char *name, br_value step, br_value values, int64_t dim)
{
    return br_op_timestep_embedding(unet->builder->graph, name,
                                    &(br_timestep_embedding_params){.step = step,
                                                                    .values = values,
                                                                    .dim = dim,
                                                                    .flip_sin_to_cos = unet->config->flip_sin_to_cos,
                                                                    .freq_shift = unet->config->freq_shift,
                                                                    .max_period = TIMESTEP_MAX_PERIOD});
}

/* f32 [1, D], or [B, D] when timestep_cond has rows of its own. */
static br_value time_embedding(unet_build *unet, const br_unet_inputs *inputs, br_activation activation)
{
    br_graph *graph = unet->builder->graph;
    int64_t base = unet->config->block_out_channels[0];
    br_value t = sinusoids(unet, "timestep_embedding", inputs->step, BR_NONE, base);
    size_t mark = br_builder_enter(unet->builder, "time_embedding", "time");
    if (unet->config->time_cond_proj_dim && t != BR_NONE)
        t = br_layer_linear(unet->builder, &(br_layer_linear_params){.name = "cond_proj",
                                                                     .x = inputs->timestep_cond,
                                                                     .out = base,
                                                                     .residual = br_graph_view(graph, t, br_shape_of(base))});
    t = embedding(unet->builder,
                  &(embedding_params){.x = t, .out = TIME_EMBED_FACTOR * base, .activation = activation, .residual = BR_NONE});
    br_builder_leave(unet->builder, mark);
    return t;
}

/* f32 [B, D]: that of the pooled text and of the sinusoids of sizes, crops or score, plus `time` [1, D] or [B, D]. */
static br_value addition_embedding(unet_build *unet, const br_unet_inputs *inputs, br_value time)
{
    br_graph *graph = unet->builder->graph;
    br_value ids = sinusoids(unet, "time_ids", BR_NONE, inputs->time_ids, unet->config->addition_time_embed_dim);
    br_value x = br_op_concat(graph, "pooled_and_time_ids", inputs->text_embeds, ids);
    if (x == BR_NONE || time == BR_NONE)
        return BR_NONE;
    br_shape shape = br_graph_shape(graph, x), row = br_graph_shape(graph, time);
    if (shape.rank != 2 || shape.dim[1] != unet->config->addition_input_dim)
        return br_graph_fail(graph, BR_ERROR_ARGUMENT, "pooled text and sinusoids of time_ids are %s, expected [B, %d]",
                             br_shape_format(shape).text, unet->config->addition_input_dim);
    if (row.dim[0] == 1)
        time = br_graph_view(graph, time, br_shape_of(row.dim[1]));
    size_t mark = br_builder_enter(unet->builder, "add_embedding", "add");
    x = embedding(unet->builder, &(embedding_params){.x = x, .out = row.dim[1], .residual = time});
    br_builder_leave(unet->builder, mark);
    return x;
}

/* Every residual block starts from silu(temb): it is applied once, here. */
static br_value embed_conditions(unet_build *unet, const br_unet_inputs *inputs)
{
    if (!unet->config->addition_time_embed_dim)
        return time_embedding(unet, inputs, BR_ACTIVATION_SILU);
    br_value x = addition_embedding(unet, inputs, time_embedding(unet, inputs, BR_ACTIVATION_NONE));
    return br_op_activation(unet->builder->graph, "silu", x, BR_ACTIVATION_SILU);
}

/* `skip`: BR_NONE but in the up path. */
static br_value resnet(unet_build *unet, br_value x, br_value skip, int index, int64_t out)
{
    size_t mark = br_builder_enter(unet->builder, "resnets.%d", "res.%d", index);
    x = br_block_resnet(unet->builder, &(br_resnet_params){.x = x,
                                                           .beside = skip,
                                                           .temb = unet->time,
                                                           .temb_column = unet->time_column,
                                                           .out = out,
                                                           .groups = unet->config->norm_num_groups,
                                                           .eps = unet->config->norm_eps});
    unet->time_column += out;
    br_builder_leave(unet->builder, mark);
    return x;
}

/* The transformer after residual block `index`; `block` counts down blocks, or their mirrors. */
static br_value transformer(unet_build *unet, br_value x, int index, int block, int layers)
{
    size_t mark = br_builder_enter(unet->builder, "attentions.%d", "attn.%d", index);
    x = br_block_transformer(unet->builder, &(br_transformer_params){.x = x,
                                                                     .cross = unet->cross,
                                                                     .cross_column = unet->cross_column,
                                                                     .cross_apart = unet->cross_apart,
                                                                     .heads = unet->config->heads[block],
                                                                     .layers = layers,
                                                                     .groups = unet->config->norm_num_groups});
    unet->cross_column += 2 * (int64_t)unet->config->block_out_channels[block] * layers;
    unet->cross_apart += unet->cross_apart ? 2 * layers : 0;
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
        x = resnet(unet, x, BR_NONE, i, config->block_out_channels[block]);
        if (config->down_attention[block])
            x = transformer(unet, x, i, block, config->down_transformers[block][i]);
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
    x = resnet(unet, x, BR_NONE, 0, unet->config->block_out_channels[last]);
    if (unet->config->mid == BR_UNET_MID_TRANSFORMER) {
        x = transformer(unet, x, 0, last, unet->config->mid_transformers);
        x = resnet(unet, x, BR_NONE, 1, unet->config->block_out_channels[last]);
    }
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
        x = resnet(unet, x, unet->skips.maps[--unet->skips.count], i, config->block_out_channels[mirror]);
        if (config->up_attention[index])
            x = transformer(unet, x, i, mirror, config->up_transformers[index][i]);
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

static bool check_inputs(br_graph *graph, const br_unet_config *config, const br_unet_inputs *inputs)
{
    bool addition = config->addition_time_embed_dim > 0, cond = config->time_cond_proj_dim > 0;
    if (addition && (inputs->text_embeds == BR_NONE || inputs->time_ids == BR_NONE))
        br_graph_fail(graph, BR_ERROR_UNSUPPORTED, "this UNet needs pooled text and time ids");
    if (cond && inputs->timestep_cond == BR_NONE)
        br_graph_fail(graph, BR_ERROR_UNSUPPORTED, "this UNet needs a guidance embedding");
    if (cond && inputs->timestep_cond != BR_NONE) {
        br_shape shape = br_graph_shape(graph, inputs->timestep_cond);
        if (shape.rank != 2 || shape.dim[1] != config->time_cond_proj_dim)
            br_graph_fail(graph, BR_ERROR_ARGUMENT, "the guidance embedding is %s, expected [B, %d]", br_shape_format(shape).text,
                          config->time_cond_proj_dim);
    }
    return !br_graph_failed(graph);
}

br_value br_unet_build(br_builder *builder, const br_unet_config *config, const br_unet_inputs *inputs)
{
    if (!check_inputs(builder->graph, config, inputs))
        return BR_NONE;
    unet_build unet = {.builder = builder, .config = config, .cross = inputs->cross, .cross_apart = inputs->cross_apart};
    br_graph_push(builder->graph, "unet");
    unet.time = br_unet_layers_time(builder, config, embed_conditions(&unet, inputs));
    br_value x = br_layer_conv3x3(builder, "conv_in", inputs->sample, config->block_out_channels[0]);
    push_skip(&unet, x);
    for (int i = 0; i < config->block_count; i++)
        x = down_block(&unet, x, i);
    if (config->mid != BR_UNET_MID_NONE)
        x = mid_block(&unet, x);
    for (int i = 0; i < config->block_count; i++)
        x = up_block(&unet, x, i);
    x = br_layer_group_norm(builder, "conv_norm_out", x, config->norm_num_groups, config->norm_eps, BR_ACTIVATION_SILU);
    x = br_layer_conv3x3(builder, "conv_out", x, config->out_channels);
    br_graph_pop(builder->graph);
    return x;
}
