#include "brume/forward.h"

#include "pipeline/forward_strip.h"

br_status br_forward(br_pipeline *pipeline, const br_forward_params *params, br_image *out_image)
{
    *out_image = (br_image){0};
    BR_TRY(br_model_check_drawable(pipeline->model));
    return br_forward_strip(pipeline, params, out_image);
}
