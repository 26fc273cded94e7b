/* What the denoising network is told besides the noise: prompts to token ids, text states and its context. */
#ifndef BR_PIPELINE_CONDITIONING_H
#define BR_PIPELINE_CONDITIONING_H

#include "pipeline/dump.h"
#include "pipeline/request.h"

/* Encodes both prompts of the request and writes what the denoise stage, prepared for request->size, takes of them. */
BR_MUST_CHECK br_status br_conditioning_write(br_pipeline *pipeline, const br_request *request, const br_dump *dump);

#endif
