/* Words to pictures: a model on a device. */
#ifndef BRUME_GENERATE_H
#define BRUME_GENERATE_H

#include <stdbool.h>
#include <stdint.h>

#include "brume/image.h"
#include "brume/model.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A model whose weights are on a device. What was built for one size of picture is kept for the next of the same size. */
typedef struct br_pipeline br_pipeline;

typedef struct br_pipeline_params {
    br_device *device; /* borrowed; outlives the pipeline */
    br_model *model;   /* borrowed; outlives the pipeline */
    br_precision precision;
    /* Bytes of device memory that the pipeline may hold at any time: weights, activations, what goes in and out, staging. What does not fit is streamed from the
     * files while the device computes, and the VAE works in tiles; see docs/memory.md. 0: as many as it takes. */
    uint64_t memory_budget;
    int vae_tile; /* picture pixels along the sides of the VAE's tiles, a multiple of size_multiple, at least 8 of them; 0: none unless the budget asks for it */
    struct br_profile *profile; /* borrowed, outlives the pipeline; NULL: nothing is timed. See brume/profile.h */
    int width, height,
        batch_size;      /* of what will be drawn first: its shaders are built while the weights are uploaded; 0: not known, 1 */
    bool random_weights; /* leave the model's weights where they are: for benchmarks (brume/bench.h), not for drawing */
} br_pipeline_params;

/* Uploads the weights; with a memory budget that is left to the drawing, whose size decides what fits. Errors: BR_ERROR_UNSUPPORTED (f16 on a device without it), BR_ERROR_FORMAT (a tensor is missing or has the wrong shape),
 * BR_ERROR_OUT_OF_DEVICE_MEMORY (how much was needed). */
BR_API BR_MUST_CHECK br_status br_pipeline_create(const br_pipeline_params *params, br_pipeline **out_pipeline);
BR_API void br_pipeline_destroy(br_pipeline *pipeline);
/* "f16" or "f32". */
BR_API const char *br_pipeline_dtype(const br_pipeline *pipeline);

typedef struct br_progress {
    const char *stage;   /* "encode", "text", "denoise", "refine", "decode"; "forward" */
    int step, steps;     /* done and in all, of this stage */
    double seconds;      /* since this stage began */
    double seconds_left; /* estimate for this stage; negative when there is none yet */
} br_progress;
/* Returns true to go on, false to stop: the call then fails with BR_ERROR_CANCELLED. Called on the caller's thread. */
typedef bool (*br_progress_callback)(void *user, const br_progress *progress);
/* What the picture would be if the noise predicted at this step were all there is. Borrowed during the call. Each costs one decoder run. */
typedef void (*br_preview_callback)(void *user, int step, int picture, const br_image *preview);

typedef enum br_noise_source {
    BR_NOISE_CPU,  /* as torch.randn on the CPU (diffusers' default, stable-diffusion.cpp's "cpu") */
    BR_NOISE_CUDA, /* as torch.randn on CUDA (AUTOMATIC1111's default) */
} br_noise_source;

/* Zero, NULL and negative numbers mean the model's default unless said otherwise. */
typedef struct br_generate_params {
    const char *prompt;          /* UTF-8; required, may be empty */
    const char *negative_prompt; /* NULL: none. For SDXL that is not the same as an empty one, see docs/prompts.md */
    bool literal_prompt;         /* take brackets, backslashes and BREAK in both prompts as text, not as weights and chunks */
    int clip_skip; /* whose layer's states of the text encoders are used, from the end: 1 the last, 2 the one before; 0: 2 for SDXL, else 1 */
    int width, height; /* picture pixels, multiples of size_multiple */
    int steps;
    double guidance;      /* 1: no guidance; 0 means the default too */
    const char *sampler;  /* "ddim", "euler_a", "dpmpp_2m", …: br_sampler_list */
    const char *schedule; /* "default", "discrete", "karras", …: br_schedule_list */
    double
        eta; /* part of its noise that a stochastic sampler adds, to 1. 0: its own (ddim 0, tcd 0.3, the others 1); negative: none */
    double s_noise; /* that noise is multiplied by this, to 10; 0 means by 1 */
    int64_t seed;   /* negative: drawn at random. Picture i of a batch has seed + i */
    br_noise_source noise_source;
    int batch_size;           /* pictures at once; 0: 1 */
    const float *init_noise;  /* standard normal [batch_size, C, h, w] instead of the seed's; borrowed */
    int64_t init_noise_count; /* its number of floats */
    /* A picture to begin with, and a mask of the same size: white is painted anew, black stays. Both are borrowed, scaled to cover
     * width × height and cropped; without width and height the picture's own size counts, or the largest of its shape that has no more
     * pixels than the model's default. NULL: noise alone. */
    const br_image *init_image, *mask;
    double strength; /* how far from the picture to go, above 0 to 1; 0: 0.75, with a mask 1 */
    /* Latents in place of the picture: [batch_size, C, h, w] on the UNet's scale, as latents.npy of dump_dir; borrowed. They are noised as a picture's are, or,
     * with denoising_start, are as noisy as its level already. */
    const float *init_latents;
    int64_t init_latents_count; /* their number of floats */
    /* Only the steps between are taken: parts of the training's noise levels, above 0 and below 1, the largest noise being at 0 (as diffusers' pipelines for SDXL
     * have them); 0: from the beginning, to the end. What denoising_end leaves is noisy. */
    double denoising_start, denoising_end;
    /* A second model takes over at the noise level refiner_start, as if the first ended and it began there: the same prompts, guidance, sampler and generators.
     * Borrowed, on the same device, of the same latents; the first model's VAE decodes. NULL: none. */
    br_pipeline *refiner;
    double refiner_start;    /* above 0 and below 1; 0: 0.8 */
    double image_guidance;   /* models that follow a picture: how closely, 1 or more; 0: 1.5 */
    double guidance_rescale; /* 0 .. 1: rescale what guidance makes of a prediction (Lin et al. 2023, section 3.4); 0: no */
    int original_width,
        original_height; /* SDXL: the size that the picture is said to have had before it was scaled and cropped; 0: width, height */
    int crop_x, crop_y;  /* SDXL: the upper left corner of that crop */
    int target_width, target_height;                  /* SDXL: the size after it; 0: width, height */
    double aesthetic_score, negative_aesthetic_score; /* SDXL's refiner; 0: 6 and 2.5 */
    const char *dump_dir; /* folder for .npy files of tokens, text, eps pairs, latents and picture; NULL: none */
    br_progress_callback progress;
    void *progress_user;
    br_preview_callback preview;
    void *preview_user;
    int preview_every; /* steps between previews; 0: 5 */
} br_generate_params;

typedef struct br_generated {
    br_image image;
    int64_t seed;
    char *parameters; /* AUTOMATIC1111's text: prompt, negative prompt, settings */
} br_generated;

typedef struct br_generation {
    br_generated *pictures; /* owned, [count] */
    int count;
    int steps, width, height; /* as resolved from the defaults */
    double guidance;
    const char *sampler; /* static */
    double text_seconds, denoise_seconds, decode_seconds;
} br_generation;

/* Errors: BR_ERROR_ARGUMENT (sizes, steps, sampler, UTF-8), BR_ERROR_CANCELLED, BR_ERROR_OUT_OF_DEVICE_MEMORY, BR_ERROR_DEVICE_LOST, BR_ERROR_IO (dump),
 * BR_ERROR_FORMAT when the result is not finite (a black picture is an error here). On failure *out_generation is zeroed. */
BR_API BR_MUST_CHECK br_status br_generate(br_pipeline *pipeline, const br_generate_params *params, br_generation *out_generation);

/* The same for one batch after another: where the device has a second queue, and memory, the decoder works on a batch while the next one is drawn. So a call
 * hands out the pictures of the call before it (count 0: none yet), or its own where nothing overlaps; br_generate_last hands out what is left (count 0:
 * nothing). What `params` points to lives until its pictures are out. The pictures are those of br_generate. When br_generate_next fails, those of the call before
 * it are still there for br_generate_last. Between the two neither br_generate nor anything else is asked of the pipeline. */
BR_API BR_MUST_CHECK br_status br_generate_next(br_pipeline *pipeline, const br_generate_params *params,
                                                br_generation *out_generation);
BR_API BR_MUST_CHECK br_status br_generate_last(br_pipeline *pipeline, br_generation *out_generation);
BR_API void br_generation_finish(br_generation *generation);

/* What `steps`, `sampler`, ... would be for these parameters, without drawing; checks them all. */
BR_API BR_MUST_CHECK br_status br_generate_check(const br_model *model, const br_generate_params *params);
/* The same before there is a pipeline of the refiner. */
BR_API BR_MUST_CHECK br_status br_generate_check_refiner(const br_model *model, const br_model *refiner,
                                                         const br_generate_params *params);

/* Names of the samplers and schedules: index 0 .. until NULL. */
BR_API const char *br_sampler_list(int index);
BR_API const char *br_schedule_list(int index);

#ifdef __cplusplus
}
#endif
#endif
