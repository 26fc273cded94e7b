/* Timing ops, stages of a model, and the device itself. */
#ifndef BRUME_BENCH_H
#define BRUME_BENCH_H

#include "brume/generate.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Seconds over `runs` timed runs after one that is not counted; each run is recorded once and replayed. */
typedef struct br_bench_result {
    char name[64]; /* "linear 1024x1024x1024", "unet" */
    char dtype[8];
    char variant[64]; /* shader that did most of the work */
    int runs;
    double seconds_min, seconds_median, seconds_max;
    double flops, bytes; /* of one run */
    double cpu_seconds;  /* the host's own CPU time a run, without the driver's worker threads; median */
    uint64_t activation_bytes, weight_bytes, peak_device_bytes;
} br_bench_result;

typedef struct br_bench_op_params {
    br_device *device;
    const char *op;       /* "linear", "conv2d", "attention", "group_norm", "layer_norm", "add" */
    const int64_t *sizes; /* borrowed; their meaning is in br_bench_op_usage */
    int size_count;
    br_precision precision;
    int runs; /* 0: 5 */
} br_bench_op_params;
BR_API BR_MUST_CHECK br_status br_bench_op(const br_bench_op_params *params, br_bench_result *out_result);
/* "linear M,N,K", ...: index 0 .. until NULL. */
BR_API const char *br_bench_op_usage(int index);

typedef struct br_bench_stage_params {
    br_pipeline *pipeline;
    const char *stage;             /* "text", "text_2" (SDXL), "unet" (one step with guidance), "vae" (decoder), "encode" */
    int width, height, batch_size; /* 0: the model's defaults, 1 */
    int runs;                      /* 0: 5 */
} br_bench_stage_params;
BR_API BR_MUST_CHECK br_status br_bench_stage(const br_bench_stage_params *params, br_bench_result *out_result);

/* The roof that everything is measured against: multiplications and additions a second of a large matrix product in f32 and f16 storage, and bytes a
 * second of a large copy (read plus written). */
typedef struct br_bench_roof {
    double gemm_f32_flops, gemm_f16_flops; /* a second; f16 is 0 where the device lacks it */
    double copy_bytes;                     /* a second */
} br_bench_roof;
BR_API BR_MUST_CHECK br_status br_bench_measure_roof(br_device *device, int runs, br_bench_roof *out_roof);

#ifdef __cplusplus
}
#endif
#endif
