#include "models/clip_text.h"

#include <string.h>

#include "models/config.h"

/* Keys that are about training or the tokenizer. */
static const char *const harmless[] = {
    "attention_dropout", "dropout",     "bos_token_id", "pad_token_id",         "initializer_factor",     "initializer_range",
    "model_type",        "torch_dtype", "dtype",        "transformers_version", "gradient_checkpointing", NULL};

/* What transformers wrote for eos_token_id before 4.31, whatever the vocabulary. */
#define LEGACY_EOS_TOKEN_ID 2

static br_activation read_activation(br_config *config)
{
    char name[32];
    br_config_string(config, "hidden_act", "quick_gelu", name, sizeof name);
    if (strcmp(name, "quick_gelu") == 0)
        return BR_ACTIVATION_QUICK_GELU;
    if (strcmp(name, "gelu") == 0)
        return BR_ACTIVATION_GELU;
    if (!config->error)
        config->error = br_fail(BR_ERROR_UNSUPPORTED, "%s: hidden_act = \"%s\" is not supported, expected quick_gelu or gelu",
                                config->what, name);
    return BR_ACTIVATION_NONE;
}

/* The class that wrote the file; a file without the key is read as the class without projection. */
static bool read_projection(br_config *config)
{
    static const char *const names[] = {"CLIPTextModel", "CLIPTextModelWithProjection", NULL};
    bool projected = br_config_length(config, "architectures") > 0 && br_config_name_at(config, "architectures", 0, names) == 1;
    br_config_ignore(config, (const char *const[]){"architectures", NULL});
    return projected;
}

br_status br_clip_text_config_read(const json_t *object, const char *what, br_clip_text_config *out_config)
{
    br_config config;
    br_config_init(&config, object, what);
    br_clip_text_config clip = {
        .hidden_size = br_config_int(&config, "hidden_size", 1, 1 << 14, 512),
        .intermediate_size = br_config_int(&config, "intermediate_size", 1, 1 << 16, 2048),
        .num_hidden_layers = br_config_int(&config, "num_hidden_layers", 1, 256, 12),
        .num_attention_heads = br_config_int(&config, "num_attention_heads", 1, 1 << 10, 8),
        .max_position_embeddings = br_config_int(&config, "max_position_embeddings", 2, 1 << 14, 77),
        .vocab_size = br_config_int(&config, "vocab_size", 1, 1 << 22, 49408),
        .layer_norm_eps = (float)br_config_double(&config, "layer_norm_eps", BR_NORM_EPS_MIN, 1, 1e-5),
        .projection_dim = br_config_int(&config, "projection_dim", 1, 1 << 14, 512),
        .eos_token_id = br_config_int(&config, "eos_token_id", 0, INT32_MAX, 49407),
        .with_projection = read_projection(&config),
    };
    clip.hidden_act = read_activation(&config);
    br_config_ignore(&config, harmless);
    BR_TRY(br_config_finish(&config));
    if (clip.hidden_size % clip.num_attention_heads)
        return br_fail(BR_ERROR_FORMAT, "%s: hidden_size = %d, expected a multiple of num_attention_heads = %d", what,
                       clip.hidden_size, clip.num_attention_heads);
    *out_config = clip;
    return NULL;
}

static br_value encoder_layer(br_builder *builder, const br_clip_text_config *config, br_value x)
{
    br_value h = br_layer_layer_norm(builder, "layer_norm1", x, config->layer_norm_eps);
    size_t mark = br_builder_enter(builder, "self_attn", "self");
    x = br_block_self_attention(builder, &(br_self_attention_params){.h = h,
                                                                     .residual = x,
                                                                     .names = {"q_proj", "k_proj", "v_proj"},
                                                                     .out = "out_proj",
                                                                     .heads = config->num_attention_heads,
                                                                     .bias = true,
                                                                     .causal = true});
    br_builder_leave(builder, mark);

    h = br_layer_layer_norm(builder, "layer_norm2", x, config->layer_norm_eps);
    mark = br_builder_enter(builder, "mlp", "mlp");
    h = br_layer_linear(builder, &(br_layer_linear_params){.name = "fc1",
                                                           .x = h,
                                                           .out = config->intermediate_size,
                                                           .bias = true,
                                                           .activation = config->hidden_act,
                                                           .residual = BR_NONE});
    x = br_layer_linear(builder,
                        &(br_layer_linear_params){.name = "fc2", .x = h, .out = config->hidden_size, .bias = true, .residual = x});
    br_builder_leave(builder, mark);
    return x;
}

int br_clip_text_pool_position(const br_clip_text_config *config, const int32_t *tokens, int count)
{
    int position = 0;
    if (config->eos_token_id != LEGACY_EOS_TOKEN_ID) {
        for (int i = 0; i < count; i++)
            if (tokens[i] == config->eos_token_id)
                return i;
    } else {
        for (int i = 1; i < count; i++)
            if (tokens[i] > tokens[position] && tokens[i] < config->vocab_size)
                position = i;
    }
    return position;
}

static br_value embed(br_builder *builder, const br_clip_text_config *config, const br_clip_text_inputs *inputs)
{
    br_value table = br_builder_matrix(builder, "embeddings.token_embedding.weight", config->vocab_size, config->hidden_size);
    if (table == BR_NONE)
        return BR_NONE;
    /* What goes with rows of blocks is plain numbers. */
    br_dtype plain = br_graph_dtype(builder->graph, table);
    plain = br_dtype_block(plain) > 1 ? BR_F32 : plain;
    br_value positions = br_builder_plain_matrix(builder, "embeddings.position_embedding.weight", plain,
                                                 config->max_position_embeddings, config->hidden_size);
    br_value extra = inputs->extra;
    if (extra != BR_NONE && plain != BR_F32)
        extra = br_op_convert(builder->graph, "extra", &(br_convert_params){.x = extra, .dtype = plain, .scale = 1});
    return br_op_embedding(
        builder->graph, "embeddings",
        &(br_embedding_params){
            .tokens = inputs->tokens, .table = table, .positions = positions, .extra = extra, .dtype = builder->dtype});
}

/* The last layer's states at the rows: gathered first, so that norm and projection see no others. */
static br_value pool(br_builder *builder, const br_clip_text_config *config, br_value x, br_value rows)
{
    if (x == BR_NONE || rows == BR_NONE)
        return BR_NONE;
    if (!config->with_projection)
        return br_graph_fail(builder->graph, BR_ERROR_UNSUPPORTED, "this text encoder has no text_projection, which pooling needs");
    br_shape shape = br_graph_shape(builder->graph, x);
    br_value table = br_graph_view(builder->graph, x, br_shape_of(br_shape_rows(shape), br_shape_last(shape)));
    x = br_op_embedding(
        builder->graph, "pool",
        &(br_embedding_params){.tokens = rows, .table = table, .positions = BR_NONE, .extra = BR_NONE, .dtype = builder->dtype});
    if (x == BR_NONE)
        return BR_NONE;
    x = br_graph_view(builder->graph, x, br_shape_of(br_shape_rows(br_graph_shape(builder->graph, x)), config->hidden_size));
    size_t model = br_builder_enter(builder, "text_model", "pooled");
    x = br_layer_layer_norm(builder, "final_layer_norm", x, config->layer_norm_eps);
    br_builder_leave(builder, model);
    return br_layer_linear(
        builder, &(br_layer_linear_params){.name = "text_projection", .x = x, .out = config->projection_dim, .residual = BR_NONE});
}

void br_clip_text_build(br_builder *builder, const br_clip_text_config *config, const br_clip_text_inputs *inputs,
                        br_clip_text_outputs *out_values)
{
    int last = config->num_hidden_layers - inputs->skip;
    bool pooled = inputs->pool_rows != BR_NONE;
    *out_values = (br_clip_text_outputs){BR_NONE, BR_NONE};
    if (inputs->skip < 0 || last < 0) {
        br_graph_fail(builder->graph, BR_ERROR_ARGUMENT, "%d layers left out, expected 0 to %d", inputs->skip,
                      config->num_hidden_layers);
        return;
    }
    size_t model = br_builder_enter(builder, "text_model", "text");
    br_value x = embed(builder, config, inputs), states = x;
    for (int i = 0; i < (pooled ? config->num_hidden_layers : last); i++) {
        size_t layer = br_builder_enter(builder, "encoder.layers.%d", "layer.%d", i);
        x = encoder_layer(builder, config, x);
        br_builder_leave(builder, layer);
        if (i + 1 == last)
            states = x;
    }
    if (inputs->final_norm)
        states = br_layer_layer_norm(builder, "final_layer_norm", states, config->layer_norm_eps);
    br_builder_leave(builder, model);
    out_values->states = states;
    out_values->pooled = pool(builder, config, x, inputs->pool_rows);
}
