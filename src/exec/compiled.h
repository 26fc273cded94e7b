/* What the pipeline of a dispatch became on a device: for listings, nothing here is needed to run it. */
#ifndef BR_EXEC_COMPILED_H
#define BR_EXEC_COMPILED_H

#include "exec/program.h"
#include "vk/executable.h"

typedef struct br_compiled {
    const char *constant_names[BR_VK_SPEC_MAX]; /* the source's; NULL where it has none */
    double seconds;                             /* that building took; nearly 0 when the device had it already */
    br_vk_executables executables;              /* owned; empty where the device tells nothing */
} br_compiled;

/* Builds the pipeline of `params` (br_program_pipeline). On failure *out_compiled is zeroed. */
BR_MUST_CHECK br_status br_compiled_init(br_vk_device *device, const br_vk_pipeline_params *params, br_compiled *out_compiled);
void br_compiled_finish(br_compiled *compiled);

#endif
