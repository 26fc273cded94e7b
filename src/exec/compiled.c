#include "exec/compiled.h"

#include "base/clock.h"
#include "vk/spirv.h"

br_status br_compiled_init(br_vk_device *device, const br_vk_pipeline_params *params, br_compiled *out_compiled)
{
    *out_compiled = (br_compiled){0};
    const br_vk_pipeline *pipeline;
    double began = br_clock_seconds();
    BR_TRY(br_vk_device_pipeline(device, params, &pipeline));
    out_compiled->seconds = br_clock_seconds() - began;
    br_spirv_constant_names(params->words, params->size, out_compiled->constant_names, BR_VK_SPEC_MAX);
    br_status status = br_vk_executables_init(device, pipeline, &out_compiled->executables);
    if (status)
        *out_compiled = (br_compiled){0};
    return status;
}

void br_compiled_finish(br_compiled *compiled)
{
    br_vk_executables_finish(&compiled->executables);
    *compiled = (br_compiled){0};
}
