/* Layers and blocks that the models share. A br_builder carries the graph, the precision, and where in the model we are: the prefix of tensor names as
 * diffusers and transformers write them, beside the graph's own scope. */
#ifndef BR_MODELS_BLOCKS_H
#define BR_MODELS_BLOCKS_H

#include "ops/op.h"
#include "weights/weights.h"

/* A smaller epsilon is none in f32 arithmetic. */
#define BR_NORM_EPS_MIN 1e-12

typedef struct br_builder {
    br_graph *graph;          /* borrowed */
    br_dtype dtype;           /* of activations */
    br_dtype matrix_dtype;    /* of matrices and kernels */
    const br_weights *stored; /* borrowed; matrices that are blocks there stay blocks. NULL: none is */
    uint64_t
        binding_bytes; /* that one binding of the device spans: keys and values in wider rows than that allows are made apart */
    char prefix[256];  /* "down_blocks.1.attentions.0." */
    size_t prefix_length;
} br_builder;

/* Nothing is `stored`, and binding_bytes is what the minimum device has. */
void br_builder_init(br_builder *builder, br_graph *graph, br_dtype dtype, br_dtype matrix_dtype);

/* Enters a submodule: `tensor_format` extends the tensor prefix, `node_format` the graph's scope; both are formatted with the same arguments. Returns what
 * br_builder_leave takes. */
size_t br_builder_enter(br_builder *builder, const char *tensor_format, const char *node_format, ...);
void br_builder_leave(br_builder *builder, size_t mark);

/* PREFIX + `name` as a tensor of the file. */
br_value br_builder_matrix(br_builder *builder, const char *name, int64_t rows, int64_t columns);
/* A matrix of this type whatever the file holds. */
br_value br_builder_plain_matrix(br_builder *builder, const char *name, br_dtype dtype, int64_t rows, int64_t columns);
br_value br_builder_kernel(br_builder *builder, const char *name, int64_t out, int64_t kernel, int64_t in);
br_value br_builder_vector(br_builder *builder, const char *name, int64_t size);

/* y = x · NAME.weightᵀ (+ NAME.bias). */
typedef struct br_layer_linear_params {
    const char *name;
    br_value x;
    int64_t out;
    bool bias;
    br_activation activation;
    bool geglu;        /* the file's layer makes 2 · out: values, and gates for them */
    br_value residual; /* BR_NONE */
} br_layer_linear_params;
br_value br_layer_linear(br_builder *builder, const br_layer_linear_params *params);

/* A layer of a stack, named from the builder's prefix on. */
typedef struct br_stack_part {
    char name[112];
    int64_t out;
    char residual[112]; /* a vector that is added, or "" (in all parts or in none) */
} br_stack_part;

/* The products of one x with several layers' weights, side by side: y[..., Σ out] = x · [part 0; part 1; …]ᵀ (+ biases). One product where the file has
 * all of them in one type, else one for each run of a type. */
typedef struct br_layer_stack_params {
    const char *name; /* of the product */
    br_value x;
    const br_stack_part *parts;
    int count;
    bool bias; /* each part has NAME.bias */
    br_value *
        out_apart; /* [count]: what each part makes as a value of its own, by a product with its rows; without residuals. NULL: side by side */
} br_layer_stack_params;
br_value br_layer_linear_stack(br_builder *builder, const br_layer_stack_params *params);

typedef struct br_layer_conv_params {
    const char *name;
    br_value x;
    int64_t out;
    int kernel, stride;
    int pad_before, pad_after; /* rows above and columns left; rows below and columns right */
    br_value bias;             /* replaces NAME.bias, with columns bias_column .. bias_column + out - 1; BR_NONE: NAME.bias */
    int64_t bias_column;
    br_value residual;                         /* BR_NONE */
    bool without_bias;                         /* the file has no NAME.bias */
    br_activation activation;                  /* of the sum with bias and residual */
    int64_t upsampled_height, upsampled_width; /* see br_conv2d_params */
    bool over_x;                               /* likewise */
} br_layer_conv_params;
br_value br_layer_conv(br_builder *builder, const br_layer_conv_params *params);
/* The usual one: 3×3, stride 1, same size. */
br_value br_layer_conv3x3(br_builder *builder, const char *name, br_value x, int64_t out);

br_value br_layer_group_norm(br_builder *builder, const char *name, br_value x, int groups, float eps, br_activation activation);
br_value br_layer_layer_norm(br_builder *builder, const char *name, br_value x, float eps);

/* ResnetBlock2D. x: [B, H, W, C] -> [B, H, W, out] */
typedef struct br_resnet_params {
    br_value x;
    br_value beside; /* [B, H, W, Cb]: more channels of the input after those of x (a UNet's skip), or BR_NONE */
    br_value
        temb; /* f32 [1 or B, N]: what conv1 adds instead of its bias, in columns temb_column .. temb_column + out - 1; BR_NONE: its bias */
    int64_t temb_column, out;
    int groups;
    float eps;
    bool thrifty; /* memory before dispatches: conv1 of a large block that narrows takes the place of its input */
} br_resnet_params;
br_value br_block_resnet(br_builder *builder, const br_resnet_params *params);

/* Transformer2DModel: self-attention, cross-attention, GEGLU feed-forward. x: [B, H, W, C] */
typedef struct br_transformer_params {
    br_value x;
    br_value cross;              /* [B, T, N]: keys and values of the cross-attentions, see br_unet_cross_build */
    int64_t cross_column;        /* where those of the first layer begin; 2·C a layer */
    const br_value *cross_apart; /* instead of both: keys and values [B, T, C] of each layer in turn; NULL: there are none */
    int heads, layers, groups;
} br_transformer_params;
br_value br_block_transformer(br_builder *builder, const br_transformer_params *params);

/* Self-attention of h [B, T, D]: q, k and v by one product with the layers `names` (those of q, k, v), softmax, output layer `out`, residual. Where the keys
 * of a picture would not fit a binding that way, by three products with the rows of the same weight. */
typedef struct br_self_attention_params {
    br_value h, residual;
    const char *names[3], *out;
    int heads;
    bool bias; /* of q, k and v */
    bool causal;
} br_self_attention_params;
br_value br_block_self_attention(br_builder *builder, const br_self_attention_params *params);

/* The VAE's Attention: group norm, one head over all channels, residual. */
br_value br_block_vae_attention(br_builder *builder, br_value x, int groups, float eps);

/* Nearest upsampling to height × width, then NAME.conv 3×3. */
br_value br_block_upsample(br_builder *builder, br_value x, int64_t height, int64_t width);

#endif
