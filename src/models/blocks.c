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

/* maxStorageBufferRange of the minimum device (docs/DESIGN.md, decision 6). */
#define MINIMUM_BINDING_BYTES ((uint64_t)128 << 20)
/* Of a smaller input too little memory is gained for the dispatches, short ones, that it costs. */
#define THRIFTY_BYTES ((int64_t)16 << 20)
/* Where a matrix of blocks may be cut between columns: see br_linear_params. */
#define QUANT_CUT 32

/* Room for a prefix, a name and a suffix, so that nothing is cut. */
#define TENSOR_NAME_MAX 384
#define LAYER_NAME_MAX 96

void br_builder_init(br_builder *builder, br_graph *graph, br_dtype dtype, br_dtype matrix_dtype)
{
    *builder = (br_builder){.graph = graph, .dtype = dtype, .matrix_dtype = matrix_dtype, .binding_bytes = MINIMUM_BINDING_BYTES};
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
    int64_t in = br_shape_last(br_graph_shape(builder->graph, params->x)), rows = params->geglu ? 2 * params->out : params->out;
    return br_op_linear(builder->graph, params->name,
                        &(br_linear_params){.x = params->x,
                                            .weight = br_builder_matrix(builder, names.weight, rows, in),
                                            .bias = params->bias ? br_builder_vector(builder, names.bias, rows) : BR_NONE,
                                            .residual = params->residual,
                                            .activation = params->activation,
                                            .geglu = params->geglu});
}

/* What becomes of the parts of a stack from `first` on that the file has in one type. */
typedef struct stack_run {
    br_weight_part *weights, *biases, *residuals; /* of the graph's arena */
    int first, count;
    int64_t rows;
    br_dtype dtype;
} stack_run;

static const char *part_name(const br_builder *builder, const char *name, const char *suffix)
{
    const char *full = br_arena_printf(&builder->graph->arena, "%s%s%s", builder->prefix, name, suffix);
    if (!full)
        br_graph_fail(builder->graph, BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory for the name of %s", name);
    return full;
}

/* Adds the parts from run->first on as long as they are of one type. False when out of memory, which the graph then knows. */
static bool collect_run(br_builder *builder, const br_layer_stack_params *params, int64_t in, stack_run *run)
{
    run->count = 0;
    run->rows = 0;
    for (int i = run->first; i < params->count; i++) {
        const br_stack_part *part = &params->parts[i];
        const char *weight = part_name(builder, part->name, ".weight"), *bias = part_name(builder, part->name, ".bias");
        const char *residual = part_name(builder, part->residual, "");
        if (!weight || !bias || !residual)
            return false;
        br_dtype dtype = matrix_dtype(builder, weight, in);
        if (run->count && dtype != run->dtype)
            break;
        run->dtype = dtype;
        run->weights[run->count] = (br_weight_part){weight, part->out};
        run->biases[run->count] = (br_weight_part){bias, part->out};
        run->residuals[run->count++] = (br_weight_part){residual, part->out};
        run->rows += part->out;
    }
    return true;
}

static br_value stacked_vector(br_builder *builder, const br_weight_part *parts, const stack_run *run)
{
    return br_graph_weight_stack(builder->graph, parts, run->count, BR_F32, br_shape_of(run->rows), BR_WEIGHT_PLAIN);
}

/* The products of a run's parts with their rows of its weight. */
static void make_apart(br_builder *builder, const br_layer_stack_params *params, const br_linear_params *whole,
                       const stack_run *run)
{
    br_linear_params linear = *whole;
    for (int i = run->first; i < run->first + run->count; i++) {
        linear.rows = params->parts[i].out;
        params->out_apart[i] = br_op_linear(builder->graph, params->parts[i].name, &linear);
        linear.weight_row += linear.rows;
    }
}

br_value br_layer_linear_stack(br_builder *builder, const br_layer_stack_params *params)
{
    br_graph *graph = builder->graph;
    if (params->x == BR_NONE || params->count < 1 || br_graph_failed(graph))
        return BR_NONE;
    size_t size = (size_t)params->count * sizeof(br_weight_part);
    stack_run run = {.weights = br_arena_alloc(&graph->arena, size),
                     .biases = br_arena_alloc(&graph->arena, size),
                     .residuals = br_arena_alloc(&graph->arena, size)};
    if (!run.weights || !run.biases || !run.residuals)
        return br_graph_fail(graph, BR_ERROR_OUT_OF_HOST_MEMORY, "%s: out of host memory", params->name);
    int64_t in = br_shape_last(br_graph_shape(graph, params->x));
    br_value y = BR_NONE;
    for (; run.first < params->count && !br_graph_failed(graph); run.first += run.count) {
        if (!collect_run(builder, params, in, &run))
            return BR_NONE;
        bool residual = params->parts[0].residual[0] != '\0';
        br_linear_params linear = {
            .x = params->x,
            .weight = br_graph_weight_stack(graph, run.weights, run.count, run.dtype, br_shape_of(run.rows, in), BR_WEIGHT_PLAIN),
            .bias = params->bias ? stacked_vector(builder, run.biases, &run) : BR_NONE,
            .residual = residual ? stacked_vector(builder, run.residuals, &run) : BR_NONE};
        if (params->out_apart) {
            make_apart(builder, params, &linear, &run);
            continue;
        }
        br_value part = br_op_linear(graph, params->name, &linear);
        y = y == BR_NONE ? part : br_op_concat(graph, params->name, y, part);
    }
    return y;
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
                                            .bias_column = params->bias_column,
                                            .residual = params->residual,
                                            .stride = params->stride,
                                            .pad_top = params->pad_before,
                                            .pad_left = params->pad_before,
                                            .pad_bottom = params->pad_after,
                                            .pad_right = params->pad_after,
                                            .activation = params->activation,
                                            .upsampled_height = params->upsampled_height,
                                            .upsampled_width = params->upsampled_width,
                                            .over_x = params->over_x});
}

/* 3×3 of the input's size. */
static br_value conv3x3(br_builder *builder, const br_layer_conv_params *params)
{
    br_layer_conv_params conv = *params;
    conv.kernel = 3;
    conv.stride = conv.pad_before = conv.pad_after = 1;
    return br_layer_conv(builder, &conv);
}

br_value br_layer_conv3x3(br_builder *builder, const char *name, br_value x, int64_t out)
{
    return conv3x3(builder, &(br_layer_conv_params){.name = name, .x = x, .out = out, .bias = BR_NONE, .residual = BR_NONE});
}

br_value br_layer_group_norm(br_builder *builder, const char *name, br_value x, int groups, float eps, br_activation activation)
{
    if (x == BR_NONE)
        return BR_NONE;
    layer_names names = name_layer(name);
    int64_t channels = br_shape_last(br_graph_shape(builder->graph, x));
    return br_op_group_norm(builder->graph, name,
                            &(br_group_norm_params){.x = x,
                                                    .beside = BR_NONE,
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

/* The channels of x and of what is beside it, in one value. */
static int64_t resnet_channels(const br_builder *builder, const br_resnet_params *params)
{
    int64_t beside = params->beside != BR_NONE ? br_shape_last(br_graph_shape(builder->graph, params->beside)) : 0;
    return br_shape_last(br_graph_shape(builder->graph, params->x)) + beside;
}

/* A product over both parts of the input, each with its columns of the matrix. */
static br_value resnet_shortcut(br_builder *builder, const br_resnet_params *params)
{
    int64_t in = resnet_channels(builder, params);
    br_linear_params linear = {.x = params->x,
                               .weight = br_builder_matrix(builder, "conv_shortcut.weight", params->out, in),
                               .bias = br_builder_vector(builder, "conv_shortcut.bias", params->out),
                               .residual = BR_NONE,
                               .weight_columns = in};
    br_value y = br_op_linear(builder->graph, "conv_shortcut", &linear);
    if (params->beside == BR_NONE)
        return y;
    linear.weight_column = br_shape_last(br_graph_shape(builder->graph, params->x));
    linear.x = params->beside;
    linear.bias = BR_NONE;
    linear.residual = y;
    return br_op_linear(builder->graph, "conv_shortcut.beside", &linear);
}

/* Whether the input must be one value: where it is the residual itself, and where a matrix of blocks cannot be cut between the two parts. */
static bool resnet_needs_concat(const br_builder *builder, const br_resnet_params *params)
{
    if (params->beside == BR_NONE)
        return false;
    int64_t first = br_shape_last(br_graph_shape(builder->graph, params->x)), in = resnet_channels(builder, params);
    br_dtype dtype = matrix_dtype(builder, name_tensor(builder, "conv_shortcut.weight").text, in);
    return in == params->out || (br_dtype_block(dtype) > 1 && (first % QUANT_CUT || (in - first) % QUANT_CUT));
}

static bool conv1_over_x(const br_builder *builder, const br_resnet_params *params, br_value h)
{
    return params->thrifty && h != BR_NONE && br_shape_last(br_graph_shape(builder->graph, h)) > params->out &&
           br_graph_bytes(builder->graph, h) >= THRIFTY_BYTES;
}

br_value br_block_resnet(br_builder *builder, const br_resnet_params *given)
{
    if (given->x == BR_NONE || br_graph_failed(builder->graph))
        return BR_NONE;
    br_resnet_params params = *given;
    if (resnet_needs_concat(builder, &params)) {
        params.x = br_op_concat(builder->graph, "skip", params.x, params.beside);
        params.beside = BR_NONE;
        if (params.x == BR_NONE)
            return BR_NONE;
    }
    int64_t in = resnet_channels(builder, &params);
    /* A block that narrows takes its shortcut first: x is done with then, and norm1 writes over it. */
    br_value shortcut = in > params.out ? resnet_shortcut(builder, &params) : params.x;
    br_value h = br_op_group_norm(builder->graph, "norm1",
                                  &(br_group_norm_params){.x = params.x,
                                                          .beside = params.beside,
                                                          .gamma = br_builder_vector(builder, "norm1.weight", in),
                                                          .beta = br_builder_vector(builder, "norm1.bias", in),
                                                          .groups = params.groups,
                                                          .eps = params.eps,
                                                          .activation = BR_ACTIVATION_SILU});
    h = conv3x3(builder, &(br_layer_conv_params){.name = "conv1",
                                                 .x = h,
                                                 .out = params.out,
                                                 .bias = params.temb,
                                                 .bias_column = params.temb_column,
                                                 .residual = BR_NONE,
                                                 .over_x = conv1_over_x(builder, &params, h)});
    h = br_layer_group_norm(builder, "norm2", h, params.groups, params.eps, BR_ACTIVATION_SILU);
    if (in < params.out)
        shortcut = resnet_shortcut(builder, &params);
    return conv3x3(builder,
                   &(br_layer_conv_params){.name = "conv2", .x = h, .out = params.out, .bias = BR_NONE, .residual = shortcut});
}

br_value br_block_self_attention(br_builder *builder, const br_self_attention_params *params)
{
    if (params->h == BR_NONE)
        return BR_NONE;
    int64_t width = br_shape_last(br_graph_shape(builder->graph, params->h));
    br_stack_part parts[3] = {{.out = width}, {.out = width}, {.out = width}};
    for (int i = 0; i < 3; i++)
        snprintf(parts[i].name, sizeof parts[i].name, "%s", params->names[i]);
    br_layer_stack_params stack = {.name = "to_qkv", .x = params->h, .parts = parts, .count = 3, .bias = params->bias};
    br_attention_params attention = {.width = width, .heads = params->heads, .causal = params->causal};
    br_shape rows = br_graph_shape(builder->graph, params->h);
    int64_t size = br_dtype_size(br_graph_dtype(builder->graph, params->h));
    if ((uint64_t)(rows.dim[1] * 3 * width * size) > builder->binding_bytes) {
        br_value apart[3] = {BR_NONE, BR_NONE, BR_NONE};
        stack.out_apart = apart;
        br_layer_linear_stack(builder, &stack);
        attention.q = apart[0];
        attention.k = apart[1];
        attention.v = apart[2];
    } else {
        attention.q = attention.k = attention.v = br_layer_linear_stack(builder, &stack);
        attention.k_column = width;
        attention.v_column = 2 * width;
    }
    br_value y = br_op_attention(builder->graph, "softmax", &attention);
    return br_layer_linear(
        builder, &(br_layer_linear_params){.name = params->out, .x = y, .out = width, .bias = true, .residual = params->residual});
}

/* The names that diffusers' Attention has. */
static br_value diffusers_self_attention(br_builder *builder, br_value h, br_value residual, int heads, bool bias)
{
    return br_block_self_attention(
        builder,
        &(br_self_attention_params){
            .h = h, .residual = residual, .names = {"to_q", "to_k", "to_v"}, .out = "to_out.0", .heads = heads, .bias = bias});
}

/* Of layer `index` of the transformer. */
static br_value cross_attention(br_builder *builder, const br_transformer_params *params, br_value h, br_value residual, int index)
{
    const br_value *apart = params->cross_apart ? params->cross_apart + 2 * (ptrdiff_t)index : NULL;
    if (h == BR_NONE || (params->cross == BR_NONE && !apart))
        return BR_NONE;
    int64_t width = br_shape_last(br_graph_shape(builder->graph, h)), column = params->cross_column + 2 * width * index;
    br_value q = br_layer_linear(builder, &(br_layer_linear_params){.name = "to_q", .x = h, .out = width, .residual = BR_NONE});
    br_value y = br_op_attention(builder->graph, "softmax",
                                 &(br_attention_params){.q = q,
                                                        .k = apart ? apart[0] : params->cross,
                                                        .v = apart ? apart[1] : params->cross,
                                                        .width = width,
                                                        .k_column = apart ? 0 : column,
                                                        .v_column = apart ? 0 : column + width,
                                                        .heads = params->heads});
    return br_layer_linear(builder,
                           &(br_layer_linear_params){.name = "to_out.0", .x = y, .out = width, .bias = true, .residual = residual});
}

/* BasicTransformerBlock number `index`. x: [B, T, D] */
static br_value transformer_layer(br_builder *builder, const br_transformer_params *params, br_value x, int index)
{
    if (x == BR_NONE)
        return BR_NONE;
    int64_t width = br_shape_last(br_graph_shape(builder->graph, x));
    br_value h = br_layer_layer_norm(builder, "norm1", x, TRANSFORMER_LAYER_NORM_EPS);
    size_t mark = br_builder_enter(builder, "attn1", "self");
    x = diffusers_self_attention(builder, h, x, params->heads, false);
    br_builder_leave(builder, mark);

    h = br_layer_layer_norm(builder, "norm2", x, TRANSFORMER_LAYER_NORM_EPS);
    mark = br_builder_enter(builder, "attn2", "cross");
    x = cross_attention(builder, params, h, x, index);
    br_builder_leave(builder, mark);

    h = br_layer_layer_norm(builder, "norm3", x, TRANSFORMER_LAYER_NORM_EPS);
    mark = br_builder_enter(builder, "ff.net", "ff");
    h = br_layer_linear(builder, &(br_layer_linear_params){
                                     .name = "0.proj", .x = h, .out = 4 * width, .bias = true, .geglu = true, .residual = BR_NONE});
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
        h = transformer_layer(builder, params, h, i);
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
    h = diffusers_self_attention(builder, h, residual, 1, true);
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
