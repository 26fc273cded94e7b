/* br_convert: one weight file from another. */
#ifndef BR_PIPELINE_CONVERT_H
#define BR_PIPELINE_CONVERT_H

#include "brume/convert.h"

BR_MUST_CHECK br_status br_conversion_run(const br_convert_params *params, br_convert_result *out_result);

#endif
