/* The forward process, to look at: what noising does to a picture, step by step. */
#ifndef BRUME_FORWARD_H
#define BRUME_FORWARD_H

#include "brume/generate.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct br_forward_params {
    const br_image *image; /* borrowed; scaled to the model's size */
    const int *timesteps;  /* borrowed, each 0 .. T - 1; NULL: 0, 100, 300, 600, 999 (within T) */
    int timestep_count;
    int64_t seed; /* negative: drawn at random */
    bool pixels;  /* noise the picture itself; false: its latents, as the model is trained, shown through the decoder */
    br_progress_callback progress;
    void *progress_user;
} br_forward_params;

/* A sheet: x_t for every timestep side by side, under them beta, alpha-bar and SNR as curves over t.
 * Errors: BR_ERROR_ARGUMENT (a timestep outside the schedule), and those of br_generate. */
BR_API BR_MUST_CHECK br_status br_forward(br_pipeline *pipeline, const br_forward_params *params, br_image *out_image);

#ifdef __cplusplus
}
#endif
#endif
