/* A model on a device: its weights there, and the recorded programs for one size of picture, kept until another size is asked for. */
#ifndef BR_PIPELINE_PIPELINE_H
#define BR_PIPELINE_PIPELINE_H

#include "brume/generate.h"
#include "exec/stage.h"
#include "pipeline/graphs.h"
#include "pipeline/model.h"
#include "pipeline/tiles.h"

/* Storage of each part; see br_pipeline_choose_dtypes. */
typedef struct br_pipeline_dtypes {
    bool f16; /* the UNet's activations are 16-bit floats */
    br_graph_dtypes text[BR_MODEL_TEXT_MAX], unet, vae;
} br_pipeline_dtypes;

/* What the programs of a drawing are built for. */
typedef struct br_picture_size {
    int height, width; /* latent pixels */
    int batch;         /* pictures */
    int copies;
    bool rescale, keep; /* these three as in br_denoise_params */
    int chunks;         /* of the longer prompt, each as long as a text encoder takes; 0: 1 */
    int clip_skip;      /* layer of the text encoders from the end; 0: the family's, see br_pipeline_clip_skip */
    int vectors;        /* of textual inversion */
    bool encodes;       /* pictures are encoded too; told only so that a memory budget counts it in */
    /* Latent pixels along the sides of the tiles that the VAE works in, at the most; 0: none, but a pipeline with a memory budget fills them in. */
    int decode_tile, encode_tile;
} br_picture_size;

typedef struct br_drawing br_drawing;

struct br_pipeline {
    br_vk_device *device;  /* borrowed */
    const br_model *model; /* borrowed */
    br_profile *profile;   /* borrowed; NULL: nothing is timed */
    br_pipeline_dtypes dtypes;
    bool bare;       /* no weights: stages get buffers of their own for them */
    uint64_t budget; /* bytes of device memory; 0: as many as it takes */
    int vae_tile;    /* latent pixels along a side, at the most; 0: none unless the budget asks for it */
    br_pool *
        pool; /* owned; of the stages below when not everything fits into the budget; then there are no weights and no arenas, else NULL */
    br_bound_weights *text_weights[BR_MODEL_TEXT_MAX], *unet_weights, *decoder_weights,
        *encoder_weights;     /* owned; the encoder's only when it was needed */
    br_picture_size size;     /* of the stages below; batch 0: none are built */
    br_vk_buffer *wide_arena; /* owned; of a decoder that had to become f32 and has no room in the other; NULL: none */
    br_vk_buffer
        *arena; /* owned; shared by text, cross, denoise and (unless decodes_beside) decode, which run one after the other */
    br_vk_buffer *cross_buffer; /* owned; what `cross` makes and `denoise` reads; NULL for a UNet that attends to nothing */
    bool overlaps;              /* asked for: the decoder may work while the next pictures are on their way */
    bool decodes_beside;        /* and so it can: on the second queue, with activations of its own */
    br_vk_buffer *decode_arena; /* owned; NULL unless decodes_beside */
    br_drawing *pending;        /* owned; see draw.h. NULL: there is none */
    br_stage text[BR_MODEL_TEXT_MAX], cross, denoise, decode; /* those that the model has not are zeroed */
    br_text_graph text_values[BR_MODEL_TEXT_MAX];
    br_cross_graph cross_values;
    br_denoise_graph denoise_values;
    br_decode_graph decode_values;
    br_picture_size encode_size;
    br_vk_buffer *encode_arena; /* owned */
    br_stage encode;
    br_encode_graph encode_values;
};

/* AUTO is f16 where 16-bit storage exists. Matrices keep the file's precision where the device can store it, so f32 arithmetic on F16 weights
 * costs no memory, and matrices in GGUF's blocks stay blocks whatever the precision; kernels in blocks become f16 there, f32 elsewhere. The text encoder computes on f32 activations (it is small, and its outliers are not); so does the VAE
 * of an SDXL whose config says force_upcast, unless f16 is asked for: other families' need not, and one that overflows all the same is found (br_pipeline_decode). Errors: BR_ERROR_UNSUPPORTED for f16 on a device without it. */
BR_MUST_CHECK br_status br_pipeline_choose_dtypes(const br_model *model, const br_vk_caps *caps, br_precision precision,
                                                  br_pipeline_dtypes *out_dtypes);

/* Which layer of the text encoders is taken, from the end: 1 is the last, 2 the one before it, as SDXL has it. */
int br_pipeline_clip_skip(const br_model *model, const br_picture_size *size);
/* T, tokens of one chunk. */
int br_pipeline_context_length(const br_model *model);
/* Chunks that a text stage takes at once: those of both prompts, unless that is too many. */
int br_pipeline_text_batch(const br_picture_size *size);

br_graph_vae br_pipeline_vae(const br_model *model);

/* Planned, not yet on a device: what a size will take. All are owned by the caller. */
typedef struct br_pipeline_programs {
    br_program *text[BR_MODEL_TEXT_MAX], *cross, *denoise, *decode; /* NULL for what the model has not */
    br_program *encode;                                             /* NULL unless size->encodes */
    br_text_graph text_values[BR_MODEL_TEXT_MAX];
    br_cross_graph cross_values;
    br_denoise_graph denoise_values;
    br_decode_graph decode_values;
    br_encode_graph encode_values;
} br_pipeline_programs;
BR_MUST_CHECK br_status br_pipeline_plan(const br_model *model, const br_vk_caps *caps, const br_pipeline_dtypes *dtypes,
                                         const br_picture_size *size, br_pipeline_programs *out_programs);
/* One of them: of an encoder, of the UNet's step, or the decoder (BR_COMPONENT_VAE). */
BR_MUST_CHECK br_status br_pipeline_plan_one(const br_pipeline *pipeline, br_component component, const br_picture_size *size,
                                             br_program **out_program);
void br_pipeline_programs_finish(br_pipeline_programs *programs);

/* Begins to build the shaders of drawing at `size` in the background, for a pipeline that is opened next. What is wrong is for that one to report. */
void br_pipeline_expect(br_vk_device *device, const br_model *model, br_precision precision, const br_picture_size *size);
typedef struct br_pipeline_open_params {
    br_vk_device *device;  /* borrowed; outlives the pipeline */
    const br_model *model; /* likewise */
    br_precision precision;
    uint64_t memory_budget; /* bytes of device memory that the pipeline may take; 0: as many as it takes */
    int vae_tile; /* picture pixels along the sides of the tiles that the VAE works in; 0: none unless the budget asks for it */
    bool bare;    /* without weights: stages get buffers of their own for them. For benchmarks */
} br_pipeline_open_params;

/* Uploads all weights but the encoder's; with a budget only checks them. */
BR_MUST_CHECK br_status br_pipeline_open_within(const br_pipeline_open_params *params, br_pipeline **out_pipeline);
/* The same without limits. */
BR_MUST_CHECK br_status br_pipeline_open(br_vk_device *device, const br_model *model, br_precision precision,
                                         br_pipeline **out_pipeline);
void br_pipeline_close(br_pipeline *pipeline);
/* Lets what is drawn from now on overlap, see pipeline->overlaps. */
void br_pipeline_overlap(br_pipeline *pipeline);
/* Whether br_pipeline_prepare has nothing to do. */
bool br_pipeline_is_prepared(const br_pipeline *pipeline, const br_picture_size *size);
/* Sets up text, cross, denoise and decode for `size` unless that was done already; each is recorded when it first runs. */
BR_MUST_CHECK br_status br_pipeline_prepare(br_pipeline *pipeline, const br_picture_size *size);
/* Uploads the encoder's weights once and builds `encode` for pictures of height × width pixels. */
BR_MUST_CHECK br_status br_pipeline_prepare_encode(br_pipeline *pipeline, int height, int width);

/* Of the stages that are built: how the decoder's tiles lie. */
br_tiles br_pipeline_decode_tiles(const br_pipeline *pipeline);
br_tiles br_pipeline_encode_tiles(const br_pipeline *pipeline);
/* The VAE computes with f32 from here on; what is built of it is built anew, and nothing else. */
BR_MUST_CHECK br_status br_pipeline_widen_vae(br_pipeline *pipeline);
/* Latents [C, h, w] as the sampler leaves them -> picture [3, H, W] about [-1, 1]. What is not finite in f16 is computed again in f32. Needs br_pipeline_prepare. */
BR_MUST_CHECK br_status br_pipeline_decode(br_pipeline *pipeline, const float *latents, float *out_picture);
/* The same in two parts where it decodes_beside; between them the decoder is at work. An end for each begin that was well. */
BR_MUST_CHECK br_status br_pipeline_decode_begin(br_pipeline *pipeline, const float *latents);
BR_MUST_CHECK br_status br_pipeline_decode_end(br_pipeline *pipeline, const float *latents, float *out_picture);
/* Picture [3, H, W] in [-1, 1] -> distribution of its latents [2C, h, w]: mean, then log variance, not scaled. A tiny VAE's latents are certain: their
 * log variance is -INFINITY. Needs br_pipeline_prepare_encode. */
BR_MUST_CHECK br_status br_pipeline_encode(br_pipeline *pipeline, const float *picture, float *out_moments);
/* Latents [C, h, w] of such a distribution, scaled for the UNet: drawn with standard normal `noise` [C, h, w], or its mean when that is NULL, as it is for
 * a tiny VAE. */
void br_pipeline_latents(const br_pipeline *pipeline, const float *moments, const float *noise, float *out_latents);

#endif
