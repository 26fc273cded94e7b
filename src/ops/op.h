/* The operations: one constructor each, which checks shapes and appends a node. Free of Vulkan, so models can include it; how an op becomes
 * dispatches is in emit.h.
 *
 * Numbers: x and y are activations, f32 or f16 (one dtype through an op); matrices and kernels are f32 or f16, matrices also of block types; vectors (bias, gamma, beta) are f32. All sums
 * are f32. Every constructor returns BR_NONE when an argument is BR_NONE where one is required, so errors pass through. */
#ifndef BR_OPS_OP_H
#define BR_OPS_OP_H

#include "graph/graph.h"

typedef enum br_op {
#define BR_OP(name) BR_OP_##name,
#include "ops/ops.def"
#undef BR_OP
    BR_OP_COUNT
} br_op;

typedef enum br_activation {
    BR_ACTIVATION_NONE,
    BR_ACTIVATION_SILU,
    BR_ACTIVATION_GELU,       /* x/2 · (1 + erf(x/√2)), to f32 accuracy */
    BR_ACTIVATION_GELU_TANH,  /* its tanh approximation */
    BR_ACTIVATION_QUICK_GELU, /* x · sigmoid(1.702 x) */
    BR_ACTIVATION_RELU,
    BR_ACTIVATION_TANH,
} br_activation;

/* y[..., N] = act(x[..., K] · weight[N, K]ᵀ + bias[N]) + residual
 *
 * With `geglu` the weight is [2N, K] and the bias [2N], and y = (x · Wᵀ + b of rows 0 .. N - 1) · gelu(x · Wᵀ + b of rows N .. 2N - 1), exact gelu; without
 * residual and activation. */
typedef struct br_linear_params {
    br_value x;
    br_value weight;   /* [N, K]; of any type but i32 */
    br_value bias;     /* [N] f32, or BR_NONE */
    br_value residual; /* y's shape and dtype, or [N] f32 (added to every row), or BR_NONE */
    br_activation activation;
    bool geglu;
    /* The weight is [N, weight_columns] and its columns from weight_column on are used, for a product over inputs that lie apart; 0: it is [N, K]. Of a
     * matrix of blocks weight_column and K are multiples of 32. */
    int64_t weight_columns, weight_column;
    /* Rows weight_row .. weight_row + rows - 1 of the weight and of the bias, which may have more, are used; 0 rows: all. Not with geglu. */
    int64_t rows, weight_row;
} br_linear_params;
br_value br_op_linear(br_graph *graph, const char *name, const br_linear_params *params);

/* y[B, Ho, Wo, O] = act(conv(x[B, H, W, I], weight[O, KH, KW, I]) + bias + residual); Ho = (H + top + bottom - KH) / stride + 1, where H is
 * upsampled_height if that is given. */
typedef struct br_conv2d_params {
    br_value x;
    br_value weight; /* [O, KH, KW, I] */
    br_value
        bias; /* f32 [N], [1, N] or [B, N] (a vector for every picture): columns bias_column .. bias_column + O - 1; or BR_NONE */
    br_value residual; /* y's shape and dtype, or BR_NONE */
    int stride;
    int pad_top, pad_left, pad_bottom, pad_right;
    br_activation activation;
    int64_t bias_column;
    /* 0, or at least H and W: x is read as if enlarged to this size first, by nearest neighbour, source index floor(i · H / upsampled_height). */
    int64_t upsampled_height, upsampled_width;
    /* y takes over the storage of x if that dies here: it is made in slabs, one after the other, each of which lies before what it and later ones read. Less memory
     * for a few dispatches more. y has the height and width of x and no more channels; stride 1, neither residual nor upsampling. */
    bool over_x;
} br_conv2d_params;
br_value br_op_conv2d(br_graph *graph, const char *name, const br_conv2d_params *params);

/* y = act((x - mean) / sqrt(var + eps) · gamma + beta), mean and (biased) variance over H, W and the channels of a group. x: [B, H, W, C] */
typedef struct br_group_norm_params {
    br_value x;
    br_value beside; /* [B, H, W, Cb], or BR_NONE: more channels after those of x, so that C = Ca + Cb; groups may be of both */
    br_value gamma, beta; /* [C] */
    int groups;
    float eps;
    br_activation activation; /* NONE or SILU */
} br_group_norm_params;
br_value br_op_group_norm(br_graph *graph, const char *name, const br_group_norm_params *params);

/* Over the last dimension. x: [..., D] */
typedef struct br_layer_norm_params {
    br_value x, gamma, beta; /* [D] */
    float eps;
} br_layer_norm_params;
br_value br_op_layer_norm(br_graph *graph, const char *name, const br_layer_norm_params *params);

/* y[B, Tq, D] = softmax(scale · q kᵀ) v for each of NH heads of width D / NH. No [Tq, Tk] matrix is ever stored. q, k and v may be D columns of wider rows, and
 * of one and the same value. */
typedef struct br_attention_params {
    br_value q;                           /* [B, Tq, >= q_column + D] */
    br_value k;                           /* [B, Tk, >= k_column + D] */
    br_value v;                           /* [B, Tk, >= v_column + D] */
    int64_t width;                        /* D; 0: the last dimension of q */
    int64_t q_column, k_column, v_column; /* the first of the D columns; with all of these 0 and no width, k and v have D columns */
    int heads;
    float scale; /* 0: 1/sqrt(D / NH) */
    bool causal; /* position i sees 0 .. i; needs Tq == Tk */
} br_attention_params;
br_value br_op_attention(br_graph *graph, const char *name, const br_attention_params *params);

br_value br_op_activation(br_graph *graph, const char *name, br_value x, br_activation activation);
/* Same shape and dtype. */
br_value br_op_add(br_graph *graph, const char *name, br_value a, br_value b);
/* [B, H, W, Ca] , [B, H, W, Cb] -> [B, H, W, Ca + Cb] */
br_value br_op_concat(br_graph *graph, const char *name, br_value a, br_value b);

/* y[B, T, D] = table[tokens[B, T]] + positions[T]; tokens V and above are rows of `extra`. Tokens outside both are clamped on the device; the tokenizer
 * checks them at the door. */
typedef struct br_embedding_params {
    br_value tokens;    /* i32 [B, T] */
    br_value table;     /* [V, D]; of any type but i32 */
    br_value positions; /* [P, D] of the table's type (f32 where that has blocks), P >= T, or BR_NONE */
    br_value extra;     /* [E, D], as positions, or BR_NONE */
    br_dtype dtype;     /* of y */
} br_embedding_params;
br_value br_op_embedding(br_graph *graph, const char *name, const br_embedding_params *params);

/* y f32 [1, dim]: sinusoids of the step buffer's timestep (diffusers get_timestep_embedding); with `values` y f32 [B, N · dim], those of each of them. */
typedef struct br_timestep_embedding_params {
    br_value step;   /* the step buffer, see br_graph_step; BR_NONE with values */
    br_value values; /* f32 [B, N], or BR_NONE */
    int64_t dim;
    bool flip_sin_to_cos;
    float freq_shift; /* downscale_freq_shift */
    float max_period; /* 10000 */
} br_timestep_embedding_params;
br_value br_op_timestep_embedding(br_graph *graph, const char *name, const br_timestep_embedding_params *params);

/* The INPUT that holds one br_step (shaders/common/abi.h) as i32 [sizeof(br_step) / 4]. */
br_value br_graph_step(br_graph *graph);

/* y[copies · B, H, W, C] of `dtype` = input_scale · x, repeated: what the UNet sees. x: f32 state [B, H, W, C] */
br_value br_op_model_input(br_graph *graph, const char *name, br_value step, br_value x, int copies, br_dtype dtype);

/* y f32 [B, H, W, C]: the copies of the model's output combined, see br_step. The sampler's step combines two copies without rescaling by itself. */
typedef struct br_guidance_params {
    br_value step;
    br_value
        out; /* [copies · B, H, W, C]. 2: unconditional, conditional. 3: unconditional, with the picture only, with picture and words */
    int copies;   /* 2 or 3 */
    bool rescale; /* to the conditional output's standard deviation over H, W and C: Lin et al. 2023, section 3.4 */
} br_guidance_params;
br_value br_op_guidance(br_graph *graph, const char *name, const br_guidance_params *params);

/* The sampler's update of decision 3, in place on the states x and history (see br_step). */
typedef struct br_sampler_step_params {
    br_value step;
    br_value out;     /* model output [B or 2B, H, W, C]; 2B: the unconditional pictures first, combined with `guidance` */
    br_value x;       /* f32 state [B, H, W, C] */
    br_value history; /* f32 state [BR_HISTORY_MAX, B·H·W·C] */
    br_value noise;   /* f32 input [B, H, W, C] */
} br_sampler_step_params;
void br_op_sampler_step(br_graph *graph, const char *name, const br_sampler_step_params *params);

/* Where nothing is to be painted, x becomes what is known there at the noise level that it has reached; in place, see br_step. */
typedef struct br_keep_params {
    br_value step;
    br_value x;     /* f32 state [B, H, W, C] */
    br_value mask;  /* f32 [B, H, W, 1]: 1 where x stays */
    br_value known; /* f32 [B, H, W, C] */
    br_value noise; /* f32 [B, H, W, C] */
} br_keep_params;
void br_op_keep(br_graph *graph, const char *name, const br_keep_params *params);

typedef enum br_layout_change {
    BR_LAYOUT_KEEP,
    BR_LAYOUT_NCHW_TO_NHWC, /* [B, C, H, W] -> [B, H, W, C] */
    BR_LAYOUT_NHWC_TO_NCHW,
} br_layout_change;

/* y = scale · x + shift in another dtype and layout. */
typedef struct br_convert_params {
    br_value x;
    br_dtype dtype;
    br_layout_change layout;
    float scale, shift;
} br_convert_params;
br_value br_op_convert(br_graph *graph, const char *name, const br_convert_params *params);

/* y = scale · uniform numbers in [-1, 1) that depend on the seed and on the element's number alone: weights for benchmarks, without a file. */
typedef struct br_random_params {
    br_value y; /* f32 or f16 state of any shape; overwritten */
    float scale;
    uint32_t seed;
} br_random_params;
void br_op_random(br_graph *graph, const char *name, const br_random_params *params);

const char *br_op_name(br_op op);

#endif
