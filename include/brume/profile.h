/* Where the time and the memory of a run go: by stage, layer, op and shader, against what the device can do. docs/profiling.md shows how to read it. */
#ifndef BRUME_PROFILE_H
#define BRUME_PROFILE_H

#include <stdio.h>

#include "brume/generate.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum br_profile_mode {
    BR_PROFILE_CONCURRENT, /* as it runs: independent dispatches overlap */
    BR_PROFILE_SERIALISED, /* each dispatch alone, between full barriers: slower, but each time is its own */
} br_profile_mode;

/* Given to br_pipeline_create (br_pipeline_params.profile), it records everything that the pipeline runs. Not from two threads at once. Without one a pipeline
 * writes no timestamps. */
typedef struct br_profile br_profile;
BR_API BR_MUST_CHECK br_status br_profile_create(br_profile_mode mode, br_profile **out_profile);
/* Pipelines first. Takes NULL. */
BR_API void br_profile_destroy(br_profile *profile);

/* A span of the host's time, for what the caller does itself (opening a model, writing a file). Returns what end takes; both take a NULL profile. Spans may be
 * nested. */
BR_API int br_profile_begin(br_profile *profile, const char *name);
BR_API void br_profile_end(br_profile *profile, int span);

typedef struct br_profile_stage_params {
    br_pipeline *pipeline;         /* created with a profile */
    const char *stage;             /* "text", "unet" (one step with guidance), "vae" (decoder), "encode" */
    int width, height, batch_size; /* 0: the model's defaults, 1 */
    int runs;                      /* after one that does not count; 0: 1 */
} br_profile_stage_params;
/* Runs one stage of a model on noise. Errors: BR_ERROR_ARGUMENT, also for a pipeline without a profile. */
BR_API BR_MUST_CHECK br_status br_profile_stage(const br_profile_stage_params *params);

/* Measures what the device can do, so that reports can say how much of it is reached. Takes some seconds on slow devices. */
BR_API BR_MUST_CHECK br_status br_profile_measure_roof(br_profile *profile, br_device *device);

/* Text tables by stage, layer, op, shader and dispatch, at most `rows` lines of each (0: all). */
BR_API BR_MUST_CHECK br_status br_profile_print(const br_profile *profile, FILE *stream, int rows);

typedef enum br_profile_format {
    BR_PROFILE_JSON,   /* all figures; the schema is in docs/profiling.md */
    BR_PROFILE_TRACE,  /* Chrome trace events: ui.perfetto.dev, chrome://tracing */
    BR_PROFILE_HTML,   /* one page that needs no network */
    BR_PROFILE_MEMORY, /* PNG: which values lie where in the arena of activations, dispatch by dispatch */
} br_profile_format;
/* Errors: BR_ERROR_IO. */
BR_API BR_MUST_CHECK br_status br_profile_write(const br_profile *profile, br_profile_format format, const char *path);

typedef struct br_profile_compare_params {
    const char *before, *after; /* files of BR_PROFILE_JSON */
    bool json;                  /* else tables */
    int rows;                   /* lines of each table; 0: all */
} br_profile_compare_params;
/* What changed between two profiles, a run of each stage: by stage, op and layer, the largest change first. */
BR_API BR_MUST_CHECK br_status br_profile_compare(const br_profile_compare_params *params, FILE *stream);

#ifdef __cplusplus
}
#endif
#endif
