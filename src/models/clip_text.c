#include "models/clip_text.h"

#include <string.h>

#include "models/config.h"

/* Keys that are about training, other heads, or the tokenizer. projection_dim belongs to CLIPTextModelWithProjection. */
static const char *const harmless[] = {
    "architectures",        "attention_dropout",      "dropout",    "bos_token_id",   "eos_token_id", "pad_token_id",
    "initializer_factor",   "initializer_range",      "model_type", "projection_dim", "torch_dtype",  "dtype",
    "transformers_version", "gradient_checkpointing", NULL};

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

static br_value self_attention(br_builder *builder, const br_clip_text_config *config, br_value h, br_value residual)
{
    br_layer_linear_params projection = {.x = h, .out = config->hidden_size, .bias = true, .residual = BR_NONE};
    projection.name = "q_proj";
    br_value q = br_layer_linear(builder, &projection);
    projection.name = "k_proj";
    br_value k = br_layer_linear(builder, &projection);
    projection.name = "v_proj";
    br_value v = br_layer_linear(builder, &projection);
    h = br_op_attention(builder->graph, "softmax",
                        &(br_attention_params){.q = q, .k = k, .v = v, .heads = config->num_attention_heads, .causal = true});
    return br_layer_linear(
        builder,
        &(br_layer_linear_params){.name = "out_proj", .x = h, .out = config->hidden_size, .bias = true, .residual = residual});
}

static br_value encoder_layer(br_builder *builder, const br_clip_text_config *config, br_value x)
{
    br_value h = br_layer_layer_norm(builder, "layer_norm1", x, config->layer_norm_eps);
    size_t mark = br_builder_enter(builder, "self_attn", "self");
    x = self_attention(builder, config, h, x);
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

br_value br_clip_text_build(br_builder *builder, const br_clip_text_config *config, br_value tokens)
{
    size_t model = br_builder_enter(builder, "text_model", "text");
    br_value x =
        br_op_embedding(builder->graph, "embeddings",
                        &(br_embedding_params){.tokens = tokens,
                                               .table = br_builder_matrix(builder, "embeddings.token_embedding.weight",
                                                                          config->vocab_size, config->hidden_size),
                                               .positions = br_builder_matrix(builder, "embeddings.position_embedding.weight",
                                                                              config->max_position_embeddings, config->hidden_size),
                                               .dtype = builder->dtype});
    for (int i = 0; i < config->num_hidden_layers; i++) {
        size_t layer = br_builder_enter(builder, "encoder.layers.%d", "layer.%d", i);
        x = encoder_layer(builder, config, x);
        br_builder_leave(builder, layer);
    }
    x = br_layer_layer_norm(builder, "final_layer_norm", x, config->layer_norm_eps);
    br_builder_leave(builder, model);
    return x;
}
