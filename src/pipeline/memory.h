/* What a size of picture takes on a device, planned without touching it. */
#ifndef BR_PIPELINE_MEMORY_H
#define BR_PIPELINE_MEMORY_H

#include "pipeline/model.h"
#include "vk/device.h"

typedef struct br_memory_plan_params {
    const br_model *model;  /* borrowed */
    const br_vk_caps *caps; /* borrowed; NULL: the minimum device of decision 6 */
    br_precision precision;
    int width, height, batch; /* picture pixels; 0: the model's default, 1 */
    uint64_t budget;          /* bytes; 0: as many as it takes */
    int vae_tile;             /* picture pixels; 0: none unless the budget asks for it */
} br_memory_plan_params;

BR_MUST_CHECK br_status br_memory_plan(const br_memory_plan_params *params, br_memory_info *out_info);

#endif
