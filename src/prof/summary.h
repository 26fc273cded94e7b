/* A profile's dispatches summed up by what they have in common. */
#ifndef BR_PROF_SUMMARY_H
#define BR_PROF_SUMMARY_H

#include "prof/profile.h"

typedef enum br_prof_group {
    BR_PROF_BY_STAGE,
    BR_PROF_BY_LAYER, /* the path without its last part: "unet/down.1/attn.0" */
    BR_PROF_BY_OP,
    BR_PROF_BY_SHADER,
    BR_PROF_BY_DISPATCH, /* the whole path */
} br_prof_group;

typedef enum br_prof_bound { BR_PROF_BOUND_UNKNOWN, BR_PROF_BOUND_COMPUTE, BR_PROF_BOUND_MEMORY } br_prof_bound;

typedef struct br_prof_row {
    char *name;        /* owned */
    const char *stage; /* borrowed from the profile */
    int calls;         /* dispatches that ran */
    double seconds;    /* of all calls */
    double flops, bytes;
    double compute_seconds, memory_seconds; /* what these FLOPs and bytes would take at the roof; 0 without a roof */
    double roof_seconds;                    /* the sum over dispatches of the larger of the two */
} br_prof_row;

typedef struct br_prof_summary {
    br_prof_row *rows; /* owned; the longest first */
    int count;
    double seconds; /* of all rows */
} br_prof_summary;

BR_MUST_CHECK br_status br_prof_summarise(const br_profile *profile, br_prof_group group, br_prof_summary *out_summary);
void br_prof_summary_finish(br_prof_summary *summary);

/* Part of the roof that a row reaches, 0 to about 1; 0 when there is no roof or no time. */
double br_prof_row_efficiency(const br_prof_row *row);
/* Which of the two roofs holds the row down. */
br_prof_bound br_prof_row_bound(const br_prof_row *row);
/* "compute", "memory", "" */
const char *br_prof_bound_name(br_prof_bound bound);

/* The host's time that a stage took: from before submitting to after waiting, over all its runs. */
double br_prof_stage_wall(const br_profile *profile, const char *stage);
/* Seconds that one dispatch would take at the roof: by its FLOPs and by its bytes. */
void br_prof_kernel_roof(const br_prof_roof *roof, const br_prof_kernel *kernel, double *out_compute, double *out_memory);

#endif
