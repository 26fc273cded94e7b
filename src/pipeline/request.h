/* What a caller asks for, with the model's defaults filled in and everything checked. */
#ifndef BR_PIPELINE_REQUEST_H
#define BR_PIPELINE_REQUEST_H

#include "pipeline/model.h"
#include "pipeline/pipeline.h"

/* More than any device could hold; keeps products of sizes far from overflow. */
#define BR_REQUEST_SIDE_MAX 16384
#define BR_REQUEST_BATCH_MAX 64

/* What SDXL is told about the picture: the size it had before it was scaled and cropped for training, where it was cropped, its size then; the refiner a
 * score instead of the last. */
typedef struct br_size_conditions {
    int original_width, original_height, crop_x, crop_y, target_width, target_height;
    double aesthetic_score, negative_aesthetic_score;
} br_size_conditions;

typedef struct br_request {
    const char *prompt, *negative_prompt; /* borrowed, never NULL */
    bool literal;                         /* brackets and BREAK in them are text */
    bool zero_negative;                   /* zeros for the states of the negative prompt, which is empty */
    br_size_conditions sizes;
    int width, height;    /* picture pixels */
    br_picture_size size; /* latent pixels */
    int64_t latent_count; /* floats of one picture's latents, C·h·w */
    int steps;
    int begin, end;              /* steps begin .. end - 1 are taken of them; end 0: the rest */
    const br_schedule *schedule; /* borrowed; of the noise levels */
    double guidance, image_guidance, guidance_rescale, eta, s_noise;
    const br_image *image, *mask; /* borrowed; NULL: none */
    double strength;              /* 1 without a picture */
    bool from_picture;            /* x begins as the noised picture, not as noise alone */
    const float *latents;         /* borrowed, [B, C, h, w]; in place of the picture; NULL: none */
    bool noisy;                   /* they are x as it is */
    double denoising_end;         /* 0: the end */
    br_sampler sampler;
    br_sigmas sigmas;
    int64_t seed;    /* of the first picture; drawn when the caller left it open */
    bool cuda_noise; /* BR_NOISE_CUDA */
} br_request;

/* Errors: BR_ERROR_ARGUMENT naming the parameter, what it is and what was expected. */
BR_MUST_CHECK br_status br_request_resolve(const br_model *model, const br_generate_params *params, br_request *out_request);

/* The steps of the request. */
BR_MUST_CHECK br_status br_request_plan(const br_request *request, br_sampler_plan *out_plan);

#endif
