/* The pipelines that a device keeps. */
#ifndef BR_VK_PIPELINE_TABLE_H
#define BR_VK_PIPELINE_TABLE_H

#include <volk.h>

#include "base/thread.h"
#include "vk/pipeline.h"

struct br_vk_pipeline {
    br_errand building;    /* first, so that the errand is the pipeline */
    br_vk_device *device;  /* borrowed */
    br_vk_pipeline *next;  /* owned; the next one in the same bucket */
    VkShaderModule module; /* borrowed from the table */
    br_status failure;     /* owned; of building */
    bool counted;          /* somebody has it */
    br_vk_pipeline_params params;
    VkPipeline handle;                /* owned */
    VkPipelineLayout layout;          /* borrowed from the table */
    VkDescriptorSetLayout set_layout; /* borrowed from the table */
};

/* Creates device->pipelines; `cache_dir` may be NULL. */
BR_MUST_CHECK br_status br_vk_pipelines_create(br_vk_device *device, const char *cache_dir);
/* Saves the cache when it grew. */
void br_vk_pipelines_destroy(br_vk_device *device);

#endif
