/* Compute pipelines: SPIR-V with specialization constants, built once per device and kept by it, with a cache on disk. */
#ifndef BR_VK_PIPELINE_H
#define BR_VK_PIPELINE_H

#include "vk/device.h"

/* Specialization constants 0 .. BR_VK_SPEC_MAX - 1, all 32-bit. */
#define BR_VK_SPEC_MAX 16

typedef struct br_vk_pipeline br_vk_pipeline;

typedef struct br_vk_pipeline_params {
    const char *name;       /* of the shader variant; borrowed for the device's life */
    const uint32_t *words;  /* SPIR-V, borrowed for the device's life; its address is the shader's identity */
    size_t size;            /* bytes */
    uint32_t binding_count; /* storage buffers 0 .. binding_count - 1 of set 0 */
    uint32_t push_size;     /* bytes, multiple of 4 */
    uint32_t spec_count;
    uint32_t spec[BR_VK_SPEC_MAX];
    uint32_t subgroup_size; /* 0: the driver's choice; else exactly this, full subgroups (needs caps.subgroup_size_control) */
} br_vk_pipeline_params;

/* *out_pipeline is owned by the device; the same parameters give the same pipeline. */
BR_MUST_CHECK br_status br_vk_device_pipeline(br_vk_device *device, const br_vk_pipeline_params *params,
                                              const br_vk_pipeline **out_pipeline);

/* Begins to build the pipeline in the background: br_vk_device_pipeline will be asked for it. Errors of the parameters and of the driver are left for
 * that call to report. From the thread that calls br_vk_device_pipeline. */
void br_vk_device_expect_pipeline(br_vk_device *device, const br_vk_pipeline_params *params);

#endif
