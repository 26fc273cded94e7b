#include "vk/executable.h"

#include <stdio.h>
#include <stdlib.h>

#include "vk/handles.h"
#include "vk/pipeline_table.h"

static void finish_executable(br_vk_executable *executable)
{
    for (uint32_t i = 0; executable->representations && i < executable->representation_count; i++)
        free(executable->representations[i].data);
    free(executable->representations);
    free(executable->statistics);
}

static br_status read_statistics(br_vk_device *device, const VkPipelineExecutableInfoKHR *which, br_vk_executable *executable)
{
    uint32_t count = 0;
    BR_TRY(BR_VK(device->fn.vkGetPipelineExecutableStatisticsKHR(device->handle, which, &count, NULL)));
    VkPipelineExecutableStatisticKHR *raw = calloc(count + 1, sizeof *raw);
    executable->statistics = calloc(count + 1, sizeof *executable->statistics);
    if (!raw || !executable->statistics) {
        free(raw);
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory");
    }
    for (uint32_t i = 0; i < count; i++)
        raw[i].sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_STATISTIC_KHR;
    br_status status = BR_VK(device->fn.vkGetPipelineExecutableStatisticsKHR(device->handle, which, &count, raw));
    executable->statistic_count = status ? 0 : count;
    for (uint32_t i = 0; i < executable->statistic_count; i++) {
        br_vk_statistic *statistic = &executable->statistics[i];
        snprintf(statistic->name, sizeof statistic->name, "%s", raw[i].name);
        snprintf(statistic->description, sizeof statistic->description, "%s", raw[i].description);
        switch (raw[i].format) {
        case VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_BOOL32_KHR:
            statistic->format = BR_VK_STATISTIC_BOOL;
            statistic->value = raw[i].value.b32 != VK_FALSE;
            break;
        case VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_INT64_KHR:
            statistic->format = BR_VK_STATISTIC_INT;
            statistic->value = (double)raw[i].value.i64;
            break;
        case VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_FLOAT64_KHR:
            statistic->format = BR_VK_STATISTIC_FLOAT;
            statistic->value = raw[i].value.f64;
            break;
        default:
            statistic->format = BR_VK_STATISTIC_UINT;
            statistic->value = (double)raw[i].value.u64;
        }
    }
    free(raw);
    return status;
}

/* The sizes are asked for first, then the texts with room for each and for a zero: not every driver ends a text with one. */
static br_status read_representations(br_vk_device *device, const VkPipelineExecutableInfoKHR *which, br_vk_executable *executable)
{
    uint32_t count = 0;
    br_status status = NULL;
    BR_TRY(BR_VK(device->fn.vkGetPipelineExecutableInternalRepresentationsKHR(device->handle, which, &count, NULL)));
    VkPipelineExecutableInternalRepresentationKHR *raw = calloc(count + 1, sizeof *raw);
    executable->representations = calloc(count + 1, sizeof *executable->representations);
    if (!raw || !executable->representations)
        BR_FAIL_GOTO(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory");
    for (uint32_t i = 0; i < count; i++)
        raw[i].sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_INTERNAL_REPRESENTATION_KHR;
    BR_TRY_GOTO(BR_VK(device->fn.vkGetPipelineExecutableInternalRepresentationsKHR(device->handle, which, &count, raw)));
    for (uint32_t i = 0; i < count; i++) {
        br_vk_representation *representation = &executable->representations[i];
        executable->representation_count = i + 1;
        representation->data = calloc(raw[i].dataSize + 1, 1);
        if (!representation->data)
            BR_FAIL_GOTO(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory");
        raw[i].pData = representation->data;
    }
    BR_TRY_GOTO(BR_VK(device->fn.vkGetPipelineExecutableInternalRepresentationsKHR(device->handle, which, &count, raw)));
    for (uint32_t i = 0; i < executable->representation_count; i++) {
        br_vk_representation *representation = &executable->representations[i];
        snprintf(representation->name, sizeof representation->name, "%s", raw[i].name);
        snprintf(representation->description, sizeof representation->description, "%s", raw[i].description);
        representation->is_text = raw[i].isText;
        representation->size = raw[i].dataSize;
        while (representation->is_text && representation->size > 0 && !representation->data[representation->size - 1])
            representation->size--;
    }
fail:
    free(raw);
    return status;
}

br_status br_vk_executables_init(br_vk_device *device, const br_vk_pipeline *pipeline, br_vk_executables *out_executables)
{
    *out_executables = (br_vk_executables){0};
    if (!device->capture_statistics)
        return NULL;
    br_status status = NULL;
    VkPipelineExecutablePropertiesKHR *properties = NULL;
    VkPipelineInfoKHR which = {VK_STRUCTURE_TYPE_PIPELINE_INFO_KHR, .pipeline = pipeline->handle};
    uint32_t count = 0;
    BR_TRY(BR_VK(device->fn.vkGetPipelineExecutablePropertiesKHR(device->handle, &which, &count, NULL)));
    properties = calloc(count + 1, sizeof *properties);
    out_executables->items = calloc(count + 1, sizeof *out_executables->items);
    if (!properties || !out_executables->items)
        BR_FAIL_GOTO(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory");
    for (uint32_t i = 0; i < count; i++)
        properties[i].sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_PROPERTIES_KHR;
    BR_TRY_GOTO(BR_VK(device->fn.vkGetPipelineExecutablePropertiesKHR(device->handle, &which, &count, properties)));
    for (uint32_t i = 0; i < count; i++) {
        br_vk_executable *executable = &out_executables->items[i];
        out_executables->count = i + 1;
        snprintf(executable->name, sizeof executable->name, "%s", properties[i].name);
        snprintf(executable->description, sizeof executable->description, "%s", properties[i].description);
        executable->subgroup_size = properties[i].subgroupSize;
        VkPipelineExecutableInfoKHR one = {VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_INFO_KHR, .pipeline = pipeline->handle,
                                           .executableIndex = i};
        BR_TRY_GOTO(read_statistics(device, &one, executable));
        if (device->capture_representations)
            BR_TRY_GOTO(read_representations(device, &one, executable));
    }
    free(properties);
    return NULL;
fail:
    free(properties);
    br_vk_executables_finish(out_executables);
    return status;
}

void br_vk_executables_finish(br_vk_executables *executables)
{
    for (uint32_t i = 0; executables->items && i < executables->count; i++)
        finish_executable(&executables->items[i]);
    free(executables->items);
    *executables = (br_vk_executables){0};
}
