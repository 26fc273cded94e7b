/* The way of a prompt: tokens, text states, noise, the denoising loop, pictures. */
#ifndef BR_PIPELINE_DRAW_H
#define BR_PIPELINE_DRAW_H

#include "pipeline/pipeline.h"

/* See br_generate_next and br_generate_last, whose contracts these are. */
BR_MUST_CHECK br_status br_draw_next(br_pipeline *pipeline, const br_generate_params *params, br_generation *out_generation);
BR_MUST_CHECK br_status br_draw_last(br_pipeline *pipeline, br_generation *out_generation);

/* Takes the picture that has left the decoder, if one has, and puts the next one in. Takes NULL. */
BR_MUST_CHECK br_status br_drawing_poll(br_drawing *drawing);
/* Takes NULL. */
void br_drawing_destroy(br_drawing *drawing);

/* See br_generate, whose contract this is. */
BR_MUST_CHECK br_status br_draw_pictures(br_pipeline *pipeline, const br_generate_params *params, br_generation *out_generation);
void br_generation_release(br_generation *generation);

#endif
