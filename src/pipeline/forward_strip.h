/* The forward process q(x_t | x_0) of a model's schedule, drawn. */
#ifndef BR_PIPELINE_FORWARD_STRIP_H
#define BR_PIPELINE_FORWARD_STRIP_H

#include "brume/forward.h"
#include "pipeline/pipeline.h"

/* See br_forward, whose contract this is. */
BR_MUST_CHECK br_status br_forward_strip(br_pipeline *pipeline, const br_forward_params *params, br_image *out_image);

#endif
