/* The graphs of a text-to-image run, from a model's configuration and a size. Pure CPU. */
#ifndef BR_PIPELINE_GRAPHS_H
#define BR_PIPELINE_GRAPHS_H

#include "models/clip_text.h"
#include "models/taesd.h"
#include "models/unet.h"
#include "models/vae.h"

/* Storage of one part of the model: activations, and matrices and kernels; matrices that are blocks in `stored` (borrowed, may be NULL) stay blocks. */
typedef struct br_graph_dtypes {
    br_dtype activations, matrices;
    const br_weights *stored;
    uint64_t binding_bytes; /* see br_builder; 0: that of the minimum device */
} br_graph_dtypes;

typedef struct br_text_params {
    const br_clip_text_config *config;
    br_graph_dtypes dtypes;
    int batch;   /* chunks; T = max_position_embeddings */
    int skip;    /* as in br_clip_text_inputs */
    bool norm;   /* likewise, final_norm */
    bool pooled; /* only with text_projection */
    int vectors; /* E, of textual inversion */
} br_text_params;

typedef struct br_text_graph {
    br_value tokens;    /* INPUT i32 [B, T]; ids from vocab_size on are rows of extra */
    br_value extra;     /* INPUT f32 [E, D]; BR_NONE for E = 0 */
    br_value pool_rows; /* INPUT i32 [B, 1]: rows of [B · T, D]; BR_NONE unless pooled */
    br_value states;    /* OUTPUT f32 [B, T, D] */
    br_value pooled;    /* OUTPUT f32 [B, projection_dim], or BR_NONE */
} br_text_graph;
/* Errors stay in `graph` (br_graph_verify). */
void br_graph_build_text(br_graph *graph, const br_text_params *params, br_text_graph *out_values);

typedef struct br_denoise_params {
    const br_unet_config *unet;
    br_graph_dtypes dtypes;
    int batch;            /* pictures */
    int copies;           /* 1: no guidance; 2, 3: see br_op_guidance */
    bool rescale;         /* guidance rescale: needs copies */
    bool keep;            /* inpainting: what is not painted anew is brought back after every evaluation */
    int height, width;    /* latent pixels */
    int tokens;           /* of the context */
    int pooled, time_ids; /* P and N, what the UNet takes of pooled text and of sizes; 0 for one that takes none */
} br_denoise_params;

typedef struct br_denoise_graph {
    br_value step; /* INPUT, one br_step */
    br_value
        cross; /* INPUT [copies · B, T, N] in activations' dtype, see br_cross_graph; BR_NONE for a UNet that attends to nothing, and with: */
    br_value context;     /* INPUT [copies · B, T, D] in activations' dtype, where br_graph_has_cross says no; else BR_NONE */
    br_value text_embeds; /* INPUT f32 [copies · B, P]; BR_NONE unless the UNet takes them (SDXL) */
    br_value time_ids;    /* INPUT f32 [copies · B, N], likewise */
    br_value noise;       /* INPUT f32 [B, h, w, C] */
    br_value picture; /* INPUT [copies · B, h, w, in_channels - C] in activations' dtype: what the UNet sees beside x, or BR_NONE */
    br_value timestep_cond; /* INPUT f32 [1, time_cond_proj_dim], or BR_NONE */
    br_value mask;          /* INPUT f32 [B, h, w, 1], and */
    br_value known;         /* f32 [B, h, w, C], and */
    br_value known_noise;   /* f32 [B, h, w, C]: see br_op_keep; BR_NONE without `keep` */
    br_value x;             /* STATE f32 [B, h, w, C] */
    br_value history;       /* STATE f32 [BR_HISTORY_MAX, B·h·w·C] */
    br_value out;           /* OUTPUT [copies · B, h, w, C] in activations' dtype: what the model predicted */
} br_denoise_graph;
/* What of the UNet depends on the prompt alone. */
typedef struct br_cross_graph {
    br_value context; /* INPUT [copies · B, T, D] in activations' dtype */
    br_value cross;   /* OUTPUT [copies · B, T, N] likewise: keys and values of all cross-attentions, br_unet_cross_build */
} br_cross_graph;
/* Whether there is such a graph: the UNet attends to a prompt whose rows of keys and values fit a binding. Where they do not, each step makes them anew,
 * layer by layer. */
bool br_graph_has_cross(const br_denoise_params *params);
void br_graph_build_cross(br_graph *graph, const br_denoise_params *params, br_cross_graph *out_values);

/* One evaluation of the model and the sampler's update of x. */
void br_graph_build_denoise(br_graph *graph, const br_denoise_params *params, br_denoise_graph *out_values);

/* Both borrowed. */
typedef struct br_graph_vae {
    const br_vae_config *config;
    const br_taesd_config *tiny; /* built in its place, `config` holding what both have; NULL: an AutoencoderKL */
} br_graph_vae;

typedef struct br_decode_graph {
    br_value latents; /* INPUT f32 [1, h, w, C], as the sampler leaves them */
    br_value picture; /* OUTPUT f32 [1, 3, H, W], about [-1, 1] */
} br_decode_graph;
void br_graph_build_decode(br_graph *graph, br_graph_vae vae, br_graph_dtypes dtypes, int height, int width,
                           br_decode_graph *out_values);

typedef struct br_encode_graph {
    br_value picture; /* INPUT f32 [1, 3, H, W], [-1, 1] */
    br_value
        moments; /* OUTPUT f32 [1, 2C, h, w]: mean, log variance, not multiplied by scaling_factor; [1, C, h, w], the mean, of a tiny one */
} br_encode_graph;
/* height, width: of the picture, multiples of br_vae_factor. */
void br_graph_build_encode(br_graph *graph, br_graph_vae vae, br_graph_dtypes dtypes, int height, int width,
                           br_encode_graph *out_values);

#endif
