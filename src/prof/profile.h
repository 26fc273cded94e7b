/* What a profile holds: programs with what each dispatch is, their runs with times of each dispatch, spans of the host, samples of memory; all times are
 * seconds on one clock since the profile began. Not from two threads at once. Reports are made of it by summary, table, trace, report. */
#ifndef BR_PROF_PROFILE_H
#define BR_PROF_PROFILE_H

#include "vk/gauges.h"
#include "vk/recorder.h"

typedef struct br_profile br_profile;

typedef enum br_prof_mode {
    BR_PROF_CONCURRENT, /* as it runs: dispatches without hazards between them may overlap */
    BR_PROF_SERIALISED, /* each dispatch alone, between full barriers */
} br_prof_mode;

/* One dispatch of a program. Strings are copied. */
typedef struct br_prof_kernel {
    char *path;   /* "unet/down.1/attn.0/to_q" */
    char *op;     /* "linear" */
    char *shader; /* the variant: "linear_f16_64x64" */
    bool f16;     /* which roof it is held against */
    uint64_t flops, bytes;
} br_prof_kernel;

/* A value in the arena of activations, alive from one dispatch through another. */
typedef struct br_prof_value {
    char *name;
    uint64_t offset, bytes;
    int first, last;
} br_prof_value;

typedef struct br_prof_program {
    char *name; /* the stage: "text encoder", "denoising step" */
    br_prof_kernel *kernels;
    int kernel_count;
    br_prof_value *values;
    int value_count;
    uint64_t arena_bytes, lower_bound_bytes, weight_bytes;
} br_prof_program;

typedef struct br_prof_run {
    int program;
    double began, submitted, done; /* on the host: before submitting, after it, after waiting */
    double *times;                 /* owned; [kernel_count][begin, end]; NULL where the device has no timestamps or this run none */
    double *gauges;                /* owned; [kernel_count][gauge_count]; NULL without hardware counters */
    double deviation;              /* how far `times` may lie off against the host's clock */
} br_prof_run;

typedef struct br_prof_span {
    const char *name; /* owned */
    double begin, end;
    uint64_t memory; /* device memory allocated when it ended */
} br_prof_span;

/* How times of the device got onto the host's clock. */
typedef enum br_prof_alignment {
    BR_PROF_NO_TIMES,   /* no run yet, or no timestamps: figures of the host only */
    BR_PROF_CALIBRATED, /* both clocks were read at the same moment */
    BR_PROF_BOUNDED,    /* a run lies in the middle between its submission and its end */
} br_prof_alignment;

typedef struct br_prof_roof {
    double f32_flops, f16_flops, bytes; /* a second; 0: not measured or not there */
} br_prof_roof;

struct br_profile {
    br_prof_mode mode;
    bool paused;                         /* runs are not taken in */
    bool every_run;                      /* of those that are, each is timed, whatever that costs */
    double origin;                       /* br_clock_seconds() when the profile began */
    char model[256], size[64], dtype[8]; /* what was run, in words */
    /* of the device that br_prof_attach told of */
    const br_vk_device *device; /* borrowed; NULL after br_prof_detach */
    char device_name[256], driver[520];
    double timestamp_period;
    uint32_t timestamp_bits;
    br_prof_alignment alignment;
    double deviation; /* the largest of all runs */
    br_prof_roof roof;
    br_vk_gauge *gauges; /* owned; the hardware counters that runs hold, in this order */
    int gauge_count;
    br_prof_program *programs;
    br_prof_run *runs;
    br_prof_span *spans;
    int program_count, program_capacity, run_count, run_capacity, span_count, span_capacity;
};

BR_MUST_CHECK br_status br_prof_create(br_prof_mode mode, br_profile **out_profile);
void br_prof_destroy(br_profile *profile);

/* From here on memory is sampled, and runs on `device` can be added. NULL profiles are allowed here and in begin and end. */
void br_prof_attach(br_profile *profile, const br_vk_device *device);
/* What is run, in words. */
void br_prof_describe(br_profile *profile, const char *model, const char *dtype);
/* Of the pictures, in pixels. */
void br_prof_describe_size(br_profile *profile, int width, int height, int batch);
/* The device is about to go. */
void br_prof_detach(br_profile *profile);

/* A span of the host's time. Returns what br_prof_end takes; nothing happens without a profile or without memory for it. */
int br_prof_begin(br_profile *profile, const char *name);
void br_prof_end(br_profile *profile, int span);

/* Copies `program`, but takes over nothing. */
BR_MUST_CHECK br_status br_prof_add_program(br_profile *profile, const br_prof_program *program, int *out_index);
/* Takes the last run of that program into the profile, unless it is paused: of its `count` recordings, which follow one another. */
BR_MUST_CHECK br_status br_prof_add_run(br_profile *profile, int program, br_vk_recording *const *recordings, int count);

/* Runs of a program, and those among them that were timed, which stand for all. */
typedef struct br_prof_runs {
    int all, timed;
} br_prof_runs;
br_prof_runs br_prof_count_runs(const br_profile *profile, int program);
/* Of all over those that were timed; 0 where none was. */
double br_prof_runs_scale(br_prof_runs runs);
/* Seconds that a dispatch took in a run; 0 without timestamps. */
double br_prof_kernel_seconds(const br_prof_run *run, int kernel);
/* Of all its dispatches. */
double br_prof_run_seconds(const br_profile *profile, const br_prof_run *run);
/* Bytes of the arena that hold a value while a dispatch runs. */
uint64_t br_prof_live_bytes(const br_prof_program *program, int dispatch);

#endif
