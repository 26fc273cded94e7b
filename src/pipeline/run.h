/* One call of br_generate on its way. Private to the files that share it: draw (the order of things), start (what it begins with), denoise, refine. */
#ifndef BR_PIPELINE_RUN_H
#define BR_PIPELINE_RUN_H

#include "base/rng.h"
#include "pipeline/dump.h"
#include "pipeline/request.h"

typedef struct br_refinement br_refinement;

/* Host copies are [B, C, h, w] planes unless named otherwise. */
typedef struct br_run {
    br_pipeline *pipeline;
    const br_generate_params *params;
    br_request request;
    const br_refinement *refinement; /* borrowed; of a run that a refiner finishes, else NULL */
    struct br_run *base;             /* borrowed; of the refiner's own run the one that it finishes, else NULL */
    br_sampler_plan plan;
    br_dump dump;
    int channels;      /* C of the latents */
    int64_t pixels;    /* h·w */
    int64_t count;     /* floats of all pictures' latents */
    float *latents;    /* x; for previews as it was before the step */
    float *scratch;    /* [B, h, w, C] on its way to and from the device */
    float *output;     /* the model's output [copies · B, h, w, C]; only for dumps and previews */
    float *preview;    /* one picture's x_0 estimate [C, h, w], then the picture [3, H, W] */
    br_rng *rngs;      /* one a picture, so that a batch equals single runs; the refiner's are its base's, who owns them */
    const char *stage; /* what progress is reported on */
    int step, steps;
    double began;
    br_generation generation;
} br_run;

/* Sizes, plan and host memory, but for rngs and generation.pictures, of a run whose pipeline, params and request are set. */
BR_MUST_CHECK br_status br_run_init(br_run *run);
/* Frees what br_run_init claimed, as far as it came. */
void br_run_finish(br_run *run);

/* Progress: a stage of `steps` begins; `step` of them are done. Errors: BR_ERROR_CANCELLED. */
BR_MUST_CHECK br_status br_run_begin(br_run *run, const char *stage, int steps);
BR_MUST_CHECK br_status br_run_report(br_run *run, int step);
/* A br_vk_stop; `run` is a br_run. */
bool br_run_should_stop(void *run);

/* All pictures' planes to a value [B, h, w, C] of the denoise stage, and x to run->latents. */
BR_MUST_CHECK br_status br_run_write_planes(br_run *run, br_value value, const float *planes);
BR_MUST_CHECK br_status br_run_read_latents(br_run *run);

/* Writes what x begins as and what the network sees of pictures; sets up the noise generators. */
BR_MUST_CHECK br_status br_run_start(br_run *run);
/* Encodes the prompts. */
BR_MUST_CHECK br_status br_run_text(br_run *run);
/* The loop: leaves the finished latents in run->latents. */
BR_MUST_CHECK br_status br_run_denoise(br_run *run);

#endif
