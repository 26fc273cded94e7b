/* Timing ops, stages and the device's roof. See brume/bench.h for the contracts. */
#ifndef BR_PIPELINE_BENCH_H
#define BR_PIPELINE_BENCH_H

#include "brume/bench.h"
#include "pipeline/pipeline.h"

typedef struct br_bench_graph_params {
    br_vk_device *device; /* borrowed */
    br_graph *graph;      /* consumed; every INPUT, STATE and WEIGHT is filled with noise */
    const char *name;
    int runs;
} br_bench_graph_params;
/* Plans, records, runs once without counting, then `runs` times. */
BR_MUST_CHECK br_status br_bench_graph(const br_bench_graph_params *params, br_bench_result *out_result);
/* What a program counts, into the result. */
void br_bench_count(const br_program *program, br_bench_result *result);
/* Noise for every INPUT; STATE values, and WEIGHT values that have no file, are drawn on the device. */
BR_MUST_CHECK br_status br_bench_fill(br_stage *stage);
/* Whether every OUTPUT of the last run is finite. */
BR_MUST_CHECK br_status br_bench_look(br_stage *stage, bool *out_finite);
#define BR_BENCH_RUNS_MAX 1000
/* The same for a stage that is ready; counts are taken from its program. */
BR_MUST_CHECK br_status br_bench_run(br_stage *stage, int runs, br_bench_result *out_result);

typedef struct br_bench_op_request {
    br_vk_device *device; /* borrowed */
    const char *op;
    const int64_t *sizes;
    int size_count;
    br_dtype dtype;
    int runs;
} br_bench_op_request;
BR_MUST_CHECK br_status br_bench_one_op(const br_bench_op_request *request, br_bench_result *out_result);
const char *br_bench_usage(int index);
BR_MUST_CHECK br_status br_bench_one_stage(const br_bench_stage_params *params, br_bench_result *out_result);
/* Counts alone: nothing runs, and no time is in the result. Not for "encode". */
BR_MUST_CHECK br_status br_bench_plan_stage(const br_bench_stage_params *params, br_bench_result *out_result);
/* For the pipeline's profile: runs the stage once without counting, then `runs` times (0: 1). */
BR_MUST_CHECK br_status br_bench_profile_stage(const br_bench_stage_params *params);
BR_MUST_CHECK br_status br_bench_find_roof(br_vk_device *device, int runs, br_bench_roof *out_roof);

#endif
