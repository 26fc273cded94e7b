/* A second model that finishes what the first begins: an ensemble of experts for different noise levels, as SDXL and its refiner (Podell et al. 2023, section
 * 2.5; diffusers' denoising_end and denoising_start). */
#ifndef BR_PIPELINE_REFINE_H
#define BR_PIPELINE_REFINE_H

#include "pipeline/run.h"

/* One drawing in two parts. */
struct br_refinement {
    br_generate_params base, params; /* the first model's and the refiner's */
    br_request request;              /* the refiner's, but for its latents */
    br_schedule schedule;            /* that of request: the first model's noise levels, what the refiner predicts; owns nothing */
};

/* params->refiner may be NULL: `refiner` counts. `out` points into itself and is not moved. Errors: as of br_request_resolve; BR_ERROR_UNSUPPORTED when the latents
 * of one model mean nothing to the other. */
BR_MUST_CHECK br_status br_refinement_init(const br_model *model, const br_model *refiner, const br_generate_params *params,
                                           br_refinement *out);

/* Takes run->latents from where the first model left them to the end. */
BR_MUST_CHECK br_status br_run_refine(br_run *run);

#endif
