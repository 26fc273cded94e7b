/* What the denoising network is told besides the noise: prompts to token ids, text states and its context; with SDXL also pooled text, sizes and crop. */
#ifndef BR_PIPELINE_CONDITIONING_H
#define BR_PIPELINE_CONDITIONING_H

#include "pipeline/dump.h"
#include "pipeline/request.h"

/* States of a weighted chunk: each token's times its weight, then all by one factor that restores the chunk's mean (AUTOMATIC1111's rule, "original" in
 * modules/sd_emphasis.py; a chunk and an encoder at a time). Nothing is done where all weights are 1, or where the weighted mean is 0.
 * states: [T, D]; weights: [T]. */
void br_conditioning_weigh(float *states, const float *weights, int64_t tokens, int64_t width);

/* Encodes both prompts of the request and writes what the denoise stage, prepared for request->size, takes of them. */
BR_MUST_CHECK br_status br_conditioning_write(br_pipeline *pipeline, const br_request *request, const br_dump *dump);

#endif
