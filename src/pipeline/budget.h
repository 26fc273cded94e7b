/* How the programs of a drawing come by with a given amount of device memory: planned before anything is allocated, without a device.
 *
 * All that a device holds is what goes in and out of the programs, what the allocator leaves unused (br_vk_spare_bytes), and either all weights beside one
 * arena, or a pool (exec/pool.h) in which one program after the other has its arena and streams its weights. */
#ifndef BR_PIPELINE_BUDGET_H
#define BR_PIPELINE_BUDGET_H

#include "pipeline/pipeline.h"

typedef struct br_budget_params {
    const br_model *model; /* borrowed, as are the next two */
    const br_vk_caps *caps;
    const br_pipeline_dtypes *dtypes;
    uint64_t bytes; /* 0: as many as it takes */
} br_budget_params;

typedef struct br_budget {
    bool whole;           /* all is on the device at once */
    uint64_t pool_bytes;  /* unless it is */
    uint64_t least_bytes; /* the smallest budget for this size, and */
    uint64_t whole_bytes; /* the smallest with which all is on the device at once */
} br_budget;

/* Plans the programs of *size; where its tiles are not set (0), and the VAE's activations do not fit otherwise, they are set to the largest that do. Errors:
 * BR_ERROR_OUT_OF_DEVICE_MEMORY for too small a budget, saying what the least is; there are no programs then. */
BR_MUST_CHECK br_status br_budget_plan(const br_budget_params *params, br_picture_size *size, br_budget *out_budget,
                                       br_pipeline_programs *out_programs);

/* Whether a program finds a place in a pool of that many bytes. */
BR_MUST_CHECK br_status br_budget_fits(const br_vk_caps *caps, const br_program *program, uint64_t pool, bool *out_fits);
/* The next smaller tiles of the VAE, or of its encoder alone; false when there are none. */
bool br_budget_shrink(br_picture_size *size);
bool br_budget_shrink_encoder(br_picture_size *size);

#endif
