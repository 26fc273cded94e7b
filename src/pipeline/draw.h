/* The way of a prompt: tokens, text states, noise, the denoising loop, pictures. */
#ifndef BR_PIPELINE_DRAW_H
#define BR_PIPELINE_DRAW_H

#include "pipeline/pipeline.h"

/* See br_generate, whose contract this is. */
BR_MUST_CHECK br_status br_draw_pictures(br_pipeline *pipeline, const br_generate_params *params, br_generation *out_generation);
void br_generation_release(br_generation *generation);

#endif
