#include "models/blocks.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Transformer2DModel's own GroupNorm and its LayerNorms (diffusers models/attention.py) are fixed, whatever the UNet's norm_eps says. */
#define TRANSFORMER_GROUP_NORM_EPS 1e-6f
#define TRANSFORMER_LAYER_NORM_EPS 1e-5f

static_assert(BR_Q6_K - BR_Q4_0 == BR_WEIGHT_Q6_K - BR_WEIGHT_Q4_0,
              "block types of graph/tensor.h and of weights/dtype.h in one order");

/* Room for a prefix, a name and a suffix, so that nothing is cut. */
#define TENSOR_NAME_MAX 384
#define LAYER_NAME_MAX 96

void br_builder_init(br_builder *builder, br_graph *graph, br_dtype dtype, br_dtype matrix_dtype)
{
    *builder = (br_builder){.graph = graph, .dtype = dtype, .matrix_dtype = matrix_dtype};
}

size_t br_builder_enter(br_builder *builder, const char *tensor_format, const char *node_format, ...)
{
    size_t mark = builder->prefix_length;
    char node[64];
    va_list args, again;
    va_start(args, node_format);
    va_copy(again, args);
    size_t room = sizeof builder->prefix - mark;
    int length = vsnprintf(builder->prefix + mark, room, tensor_format, args);
    vsnprintf(node, sizeof node, node_format, again);
    va_end(again);
    va_end(args);
    if (length < 0 || (size_t)length + 2 > room) {
        br_graph_fail(builder->graph, BR_ERROR_ARGUMENT, "tensor names longer than %zu characters", sizeof builder->prefix);
        length = 0;
    }
    builder->prefix_length += (size_t)length;
    builder->prefix[builder->prefix_length++] = '.';
    builder->prefix[builder->prefix_length] = '\0';
    br_graph_push(builder->graph, "%s", node);
    return mark;
}

void br_builder_leave(br_builder *builder, size_t mark)
{
    builder->prefix_length = mark;
    builder->prefix[mark] = '\0';
    br_graph_pop(builder->graph);
}

typedef struct tensor_name {
    char text[TENSOR_NAME_MAX];
} tensor_name;

static tensor_name name_tensor(const br_builder *builder, const char *name)
{
    tensor_name full;
    snprintf(full.text, sizeof full.text, "%s%s", builder->prefix, name);
    return full;
}

/* The block type that the file holds a matrix in, where its rows are whole blocks. */
static br_dtype matrix_dtype(const br_builder *builder, const char *name, int64_t columns)
{
    const br_tensor_view *view = builder->stored ? br_weights_find(builder->stored, name) : NULL;
    if (!view || br_weight_dtype_block(view->dtype) == 1)
        return builder->matrix_dtype;
    br_dtype blocks = (br_dtype)(BR_Q4_0 + (view->dtype - BR_WEIGHT_Q4_0));
    return columns % br_dtype_block(blocks) ? builder->matrix_dtype : blocks;
}

br_value br_builder_plain_matrix(br_builder *builder, const char *name, br_dtype dtype, int64_t rows, int64_t columns)
{
    return br_graph_weight(builder->graph, name_tensor(builder, name).text, dtype, br_shape_of(rows, columns), BR_WEIGHT_PLAIN);
}

br_value br_builder_matrix(br_builder *builder, const char *name, int64_t rows, int64_t columns)
{
    br_dtype dtype = matrix_dtype(builder, name_tensor(builder, name).text, columns);
    return br_builder_plain_matrix(builder, name, dtype, rows, columns);
}

br_value br_builder_kernel(br_builder *builder, const char *name, int64_t out, int64_t kernel, int64_t in)
{
    return br_graph_weight(builder->graph, name_tensor(builder, name).text, builder->matrix_dtype,
                           br_shape_of(out, kernel, kernel, in), BR_WEIGHT_OHWI);
}

br_value br_builder_vector(br_builder *builder, const char *name, int64_t size)
{
    return br_graph_weight(builder->graph, name_tensor(builder, name).text, BR_F32, br_shape_of(size), BR_WEIGHT_PLAIN);
}

/* The two tensors of a layer, within its module. */
typedef struct layer_names {
    char weight[LAYER_NAME_MAX], bias[LAYER_NAME_MAX];
} layer_names;

static layer_names name_layer(const char *name)
{
    layer_names names;
    snprintf(names.weight, sizeof names.weight, "%s.weight", name);
    snprintf(names.bias, sizeof names.bias, "%s.bias", name);
    return names;
}

br_value br_layer_linear(br_builder *builder, const br_layer_linear_params *params)
{
    if (params->x == BR_NONE)
        return BR_NONE;
    layer_names names = name_layer(params->name);
    int64_t in = br_shape_last(br_graph_shape(builder->graph, params->x));
    return br_op_linear(builder->graph, params->name,
                        &(br_linear_params){.x = params->x,
                                            .weight = br_builder_matrix(builder, names.weight, params->out, in),
                                            .bias = params->bias ? br_builder_vector(builder, names.bias, params->out) : BR_NONE,
                                            .residual = params->residual,
                                            .activation = params->activation});
}

br_value br_layer_conv(br_builder *builder, const br_layer_conv_params *params)
{
    if (params->x == BR_NONE)
        return BR_NONE;
    layer_names names = name_layer(params->name);
    int64_t in = br_shape_last(br_graph_shape(builder->graph, params->x));
    br_value bias = params->bias;
    if (bias == BR_NONE && !params->without_bias)
        bias = br_builder_vector(builder, names.bias, params->out);
    return br_op_conv2d(builder->graph, params->name,
                        &(br_conv2d_params){.x = params->x,
                                            .weight = br_builder_kernel(builder, names.weight, params->out, params->kernel, in),
                                            .bias = bias,
                                            .residual = params->residual,
                                            .stride = params->stride,
                                            .pad_top = params->pad_before,
                                            .pad_left = params->pad_before,
                                            .pad_bottom = params->pad_after,
                                            .pad_right = params->pad_after,
                                            .activation = params->activation,
                                            .upsampled_height = params->upsampled_height,
                                            .upsampled_width = params->upsampled_width});
}

br_value br_layer_conv3x3(br_builder *builder, const char *name, br_value x, int64_t out)
{
    return br_layer_conv(builder, &(br_layer_conv_params){.name = name,
                                                          .x = x,
                                                          .out = out,
                                                          .kernel = 3,
                                                          .stride = 1,
                                                          .pad_before = 1,
                                                          .pad_after = 1,
                                                          .bias = BR_NONE,
                                                          .residual = BR_NONE});
}

br_value br_layer_group_norm(br_builder *builder, const char *name, br_value x, int groups, float eps, br_activation activation)
{
    if (x == BR_NONE)
        return BR_NONE;
    layer_names names = name_layer(name);
    int64_t channels = br_shape_last(br_graph_shape(builder->graph, x));
    return br_op_group_norm(builder->graph, name,
                            &(br_group_norm_params){.x = x,
                                                    .gamma = br_builder_vector(builder, names.weight, channels),
                                                    .beta = br_builder_vector(builder, names.bias, channels),
                                                    .groups = groups,
                                                    .eps = eps,
                                                    .activation = activation});
}

br_value br_layer_layer_norm(br_builder *builder, const char *name, br_value x, float eps)
{
    if (x == BR_NONE)
        return BR_NONE;
    layer_names names = name_layer(name);
    int64_t width = br_shape_last(br_graph_shape(builder->graph, x));
    return br_op_layer_norm(builder->graph, name,
                            &(br_layer_norm_params){.x = x,
                                                    .gamma = br_builder_vector(builder, names.weight, width),
                                                    .beta = br_builder_vector(builder, names.bias, width),
                                                    .eps = eps});
}

/* conv1's bias plus the projected time embedding, as the one vector that conv1 adds. */
static br_value timestep_bias(br_builder *builder, br_value temb, int64_t out)
{
    br_value conv1_bias = br_builder_vector(builder, "conv1.bias", out);
    return br_layer_linear(
        builder, &(br_layer_linear_params){.name = "time_emb_proj", .x = temb, .out = out, .bias = true, .residual = conv1_bias});
}

static br_value resnet_shortcut(br_builder *builder, const br_resnet_params *params)
{
    return br_layer_linear(
        builder,
        &(br_layer_linear_params){.name = "conv_shortcut", .x = params->x, .out = params->out, .bias = true, .residual = BR_NONE});
}

br_value br_block_resnet(br_builder *builder, const br_resnet_params *params)
{
    if (params->x == BR_NONE)
        return BR_NONE;
    int64_t in = br_shape_last(br_graph_shape(builder->graph, params->x));
    /* A block that narrows takes its shortcut first: x is done with then, and norm1 writes over it. */
    br_value shortcut = in > params->out ? resnet_shortcut(builder, params) : params->x;
    br_value h = br_layer_group_norm(builder, "norm1", params->x, params->groups, params->eps, BR_ACTIVATION_SILU);
    br_value bias = params->temb != BR_NONE ? timestep_bias(builder, params->temb, params->out) : BR_NONE;
    h = br_layer_conv(builder, &(br_layer_conv_params){.name = "conv1",
                                                       .x = h,
                                                       .out = params->out,
                                                       .kernel = 3,
                                                       .stride = 1,
                                                       .pad_before = 1,
                                                       .pad_after = 1,
                                                       .bias = bias,
                                                       .residual = BR_NONE});
    h = br_layer_group_norm(builder, "norm2", h, params->groups, params->eps, BR_ACTIVATION_SILU);
    if (in < params->out)
        shortcut = resnet_shortcut(builder, params);
    return br_layer_conv(builder, &(br_layer_conv_params){.name = "conv2",
                                                          .x = h,
                                                          .out = params->out,
                                                          .kernel = 3,
                                                          .stride = 1,
                                                          .pad_before = 1,
                                                          .pad_after = 1,
                                                          .bias = BR_NONE,
                                                          .residual = shortcut});
}

typedef struct attention_params {
    br_value x, context; /* normalised queries' source; keys' and values' source */
    br_value residual;
    int heads;
    bool bias; /* of to_q, to_k, to_v */
} attention_params;

static br_value attention(br_builder *builder, const attention_params *params)
{
    if (params->x == BR_NONE || params->context == BR_NONE)
        return BR_NONE;
    int64_t width = br_shape_last(br_graph_shape(builder->graph, params->x));
    br_layer_linear_params projection = {.x = params->x, .out = width, .bias = params->bias, .residual = BR_NONE};
    projection.name = "to_q";
    br_value q = br_layer_linear(builder, &projection);
    projection.x = params->context;
    projection.name = "to_k";
    br_value k = br_layer_linear(builder, &projection);
    projection.name = "to_v";
    br_value v = br_layer_linear(builder, &projection);
    br_value y = br_op_attention(builder->graph, "softmax", &(br_attention_params){.q = q, .k = k, .v = v, .heads = params->heads});
    return br_layer_linear(
        builder, &(br_layer_linear_params){.name = "to_out.0", .x = y, .out = width, .bias = true, .residual = params->residual});
}

/* BasicTransformerBlock. x: [B, T, D] */
static br_value transformer_layer(br_builder *builder, br_value x, br_value context, int heads)
{
    if (x == BR_NONE)
        return BR_NONE;
    int64_t width = br_shape_last(br_graph_shape(builder->graph, x));
    br_value h = br_layer_layer_norm(builder, "norm1", x, TRANSFORMER_LAYER_NORM_EPS);
    size_t mark = br_builder_enter(builder, "attn1", "self");
    x = attention(builder, &(attention_params){.x = h, .context = h, .residual = x, .heads = heads});
    br_builder_leave(builder, mark);

    h = br_layer_layer_norm(builder, "norm2", x, TRANSFORMER_LAYER_NORM_EPS);
    mark = br_builder_enter(builder, "attn2", "cross");
    x = attention(builder, &(attention_params){.x = h, .context = context, .residual = x, .heads = heads});
    br_builder_leave(builder, mark);

    h = br_layer_layer_norm(builder, "norm3", x, TRANSFORMER_LAYER_NORM_EPS);
    mark = br_builder_enter(builder, "ff.net", "ff");
    h = br_layer_linear(builder,
                        &(br_layer_linear_params){.name = "0.proj", .x = h, .out = 8 * width, .bias = true, .residual = BR_NONE});
    h = br_op_geglu(builder->graph, "geglu", h);
    x = br_layer_linear(builder, &(br_layer_linear_params){.name = "2", .x = h, .out = width, .bias = true, .residual = x});
    br_builder_leave(builder, mark);
    return x;
}

br_value br_block_transformer(br_builder *builder, const br_transformer_params *params)
{
    if (params->x == BR_NONE)
        return BR_NONE;
    br_shape image = br_graph_shape(builder->graph, params->x);
    br_shape tokens = br_shape_of(image.dim[0], image.dim[1] * image.dim[2], image.dim[3]);
    br_value h = br_layer_group_norm(builder, "norm", params->x, params->groups, TRANSFORMER_GROUP_NORM_EPS, BR_ACTIVATION_NONE);
    h = br_graph_view(builder->graph, h, tokens);
    h = br_layer_linear(
        builder, &(br_layer_linear_params){.name = "proj_in", .x = h, .out = image.dim[3], .bias = true, .residual = BR_NONE});
    for (int i = 0; i < params->layers; i++) {
        size_t mark = br_builder_enter(builder, "transformer_blocks.%d", "block.%d", i);
        h = transformer_layer(builder, h, params->context, params->heads);
        br_builder_leave(builder, mark);
    }
    br_value residual = br_graph_view(builder->graph, params->x, tokens);
    h = br_layer_linear(
        builder, &(br_layer_linear_params){.name = "proj_out", .x = h, .out = image.dim[3], .bias = true, .residual = residual});
    return br_graph_view(builder->graph, h, image);
}

br_value br_block_vae_attention(br_builder *builder, br_value x, int groups, float eps)
{
    if (x == BR_NONE)
        return BR_NONE;
    br_shape image = br_graph_shape(builder->graph, x);
    br_shape tokens = br_shape_of(image.dim[0], image.dim[1] * image.dim[2], image.dim[3]);
    br_value h = br_layer_group_norm(builder, "group_norm", x, groups, eps, BR_ACTIVATION_NONE);
    h = br_graph_view(builder->graph, h, tokens);
    br_value residual = br_graph_view(builder->graph, x, tokens);
    h = attention(builder, &(attention_params){.x = h, .context = h, .residual = residual, .heads = 1, .bias = true});
    return br_graph_view(builder->graph, h, image);
}

br_value br_block_upsample(br_builder *builder, br_value x, int64_t height, int64_t width)
{
    if (x == BR_NONE)
        return BR_NONE;
    int64_t channels = br_shape_last(br_graph_shape(builder->graph, x));
    return br_layer_conv(builder, &(br_layer_conv_params){.name = "conv",
                                                          .x = x,
                                                          .out = channels,
                                                          .kernel = 3,
                                                          .stride = 1,
                                                          .pad_before = 1,
                                                          .pad_after = 1,
                                                          .bias = BR_NONE,
                                                          .residual = BR_NONE,
                                                          .upsampled_height = height,
                                                          .upsampled_width = width});
}
