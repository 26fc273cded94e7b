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
    uint64_t activation_bytes, weight_bytes, peak_device_bytes; /* the last: of all that was on the device meanwhile */
    int dispatches;
    bool finite; /* stages: every number that came out is one; false also where a driver computes nothing (stubs) */
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
/* Sets up that stage alone, with random weights where the pipeline has none. */
BR_API BR_MUST_CHECK br_status br_bench_stage(const br_bench_stage_params *params, br_bench_result *out_result);
/* What the stage is planned to take, and nothing that has to be measured; not for "encode". */
BR_API BR_MUST_CHECK br_status br_bench_stage_plan(const br_bench_stage_params *params, br_bench_result *out_result);

/* How time and memory grow: pictures of 1, 2, 3 and 4 times 256 pixels (half of what the model was trained for, when that is less than 512), and batches of
 * 1, 2, 4 and 8 of the smallest. */
#define BR_GROWTH_POINTS 4
typedef enum br_bench_growth_stage { BR_GROWTH_UNET, BR_GROWTH_VAE, BR_GROWTH_STAGES } br_bench_growth_stage;
typedef enum br_bench_growth_axis { BR_GROWTH_SIZE, BR_GROWTH_BATCH, BR_GROWTH_AXES } br_bench_growth_axis;
typedef struct br_bench_growth_point {
    int size, batch_size;   /* batch 0: no point (the decoder takes one picture at a time) */
    br_bench_result result; /* seconds_median 0: planned only */
} br_bench_growth_point;
typedef struct br_bench_growth {
    const char *device, *model, *dtype; /* borrowed from the pipeline */
    int measured;                       /* points */
    br_bench_growth_point points[BR_GROWTH_STAGES][BR_GROWTH_AXES][BR_GROWTH_POINTS];
} br_bench_growth;
typedef struct br_bench_growth_params {
    br_pipeline *pipeline;
    double seconds; /* for measuring, the UNet first: what would take longer is planned only; 0: everything is */
} br_bench_growth_params;
BR_API BR_MUST_CHECK br_status br_bench_measure_growth(const br_bench_growth_params *params, br_bench_growth *out_growth);
/* Log-log, beside the FLOPs; the caller owns the picture. */
BR_API BR_MUST_CHECK br_status br_bench_draw_growth(const br_bench_growth *growth, br_image *out_image);

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
