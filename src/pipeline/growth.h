/* How time and memory grow with the size of the picture and with the batch. See brume/bench.h for the contracts. */
#ifndef BR_PIPELINE_GROWTH_H
#define BR_PIPELINE_GROWTH_H

#include "brume/bench.h"
#include "pipeline/pipeline.h"

BR_MUST_CHECK br_status br_growth_measure(const br_bench_growth_params *params, br_bench_growth *out_growth);
BR_MUST_CHECK br_status br_growth_draw(const br_bench_growth *growth, br_image *out_image);

#endif
