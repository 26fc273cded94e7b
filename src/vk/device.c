#include "vk/device.h"

#include <stdlib.h>

#include "vk/handles.h"
#include "vk/matrix.h"
#include "vk/pipeline_table.h"
#include "vk/staging.h"
#include "vk/tuning.h"

/* One turn of waiting for a fence. After each one that was in vain, a line goes to the debug log. */
#define WAIT_NS UINT64_C(5000000000)

static void lower(uint32_t *limit, uint32_t value)
{
    if (value && value < *limit)
        *limit = value;
}

static void apply_params(br_vk_device *device, const br_vk_device_params *params)
{
    br_vk_caps *caps = &device->caps;
    if (params->max_storage_range && params->max_storage_range < caps->max_storage_range)
        caps->max_storage_range = params->max_storage_range;
    lower(&caps->max_shared, params->max_shared);
    lower(&caps->max_invocations, params->max_invocations);
    for (int i = 0; i < 3; i++) {
        lower(&caps->max_group_size[i], params->max_invocations);
        lower(&caps->max_groups[i], params->max_groups);
    }
    if (params->no_f16)
        caps->f16_storage = caps->f16_arithmetic = caps->cooperative_matrix = false;
    if (params->discrete_gpu)
        caps->type = VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU;
    caps->side_queue = caps->side_queue || params->share_queue;
    device->dot_told = params->integer_dot != BR_VK_AUTO;
    if (device->dot_told)
        caps->integer_dot_fast = caps->integer_dot && params->integer_dot == BR_VK_ON;
    device->matrix_told = params->matrix_units != BR_VK_AUTO;
    if (device->matrix_told)
        caps->prefer_matrix = params->matrix_units == BR_VK_ON;
    device->capture_representations = caps->executable_properties && params->capture_representations;
    device->capture_statistics = caps->executable_properties && (params->capture_statistics || params->capture_representations);
    device->want_gauges = params->gauges;
    if (params->force_staging || params->force_bar)
        caps->unified_memory = false;
    if (caps->unified_memory)
        device->host_access = BR_VK_HOST_SHARES;
    else if ((device->physical->resizable_bar && !params->force_staging) || params->force_bar)
        device->host_access = BR_VK_HOST_WRITES;
    else
        device->host_access = BR_VK_HOST_NONE;
}

static br_status create_handle(br_vk_device *device)
{
    const br_vk_caps *caps = &device->caps;
    const br_vk_physical *physical = device->physical;
    const char *extensions[12];
    uint32_t extension_count = 0;
    if (physical->ext_portability_subset)
        extensions[extension_count++] = "VK_KHR_portability_subset";
    if (physical->ext_f16_i8)
        extensions[extension_count++] = VK_KHR_SHADER_FLOAT16_INT8_EXTENSION_NAME;
    if (physical->ext_8bit_storage)
        extensions[extension_count++] = VK_KHR_8BIT_STORAGE_EXTENSION_NAME;
    if (physical->ext_subgroup_size_control)
        extensions[extension_count++] = VK_EXT_SUBGROUP_SIZE_CONTROL_EXTENSION_NAME;
    if (physical->ext_integer_dot)
        extensions[extension_count++] = VK_KHR_SHADER_INTEGER_DOT_PRODUCT_EXTENSION_NAME;
    if (device->capture_statistics)
        extensions[extension_count++] = VK_KHR_PIPELINE_EXECUTABLE_PROPERTIES_EXTENSION_NAME;
    if (physical->ext_calibrated_timestamps)
        extensions[extension_count++] = physical->ext_calibrated_timestamps;

    if (device->want_gauges)
        extensions[extension_count++] = VK_KHR_PERFORMANCE_QUERY_EXTENSION_NAME;
    if (caps->cooperative_matrix)
        extensions[extension_count++] = BR_VK_MATRIX_EXTENSION;
    bool matrix_reduce = caps->cooperative_matrix && caps->matrix_reduce;
    if (matrix_reduce)
        extensions[extension_count++] = BR_VK_MATRIX_REDUCE_EXTENSION;

    /* A structure goes into the chain only for a feature that is there: a driver without it does not know the structure. */
    VkPhysicalDeviceFeatures2 features = {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2};
    VkPhysicalDevice16BitStorageFeatures storage16 = {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_16BIT_STORAGE_FEATURES, features.pNext,
                                                      .storageBuffer16BitAccess = caps->f16_storage};
    if (caps->f16_storage)
        features.pNext = &storage16;
    VkPhysicalDeviceShaderFloat16Int8Features f16_i8 = {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_FLOAT16_INT8_FEATURES,
                                                        features.pNext, .shaderFloat16 = caps->f16_arithmetic,
                                                        .shaderInt8 = caps->i8_arithmetic};
    if (caps->f16_arithmetic || caps->i8_arithmetic)
        features.pNext = &f16_i8;
    VkPhysicalDevice8BitStorageFeatures storage8 = {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_8BIT_STORAGE_FEATURES, features.pNext,
                                                    .storageBuffer8BitAccess = caps->i8_storage};
    if (caps->i8_storage)
        features.pNext = &storage8;
    VkPhysicalDeviceShaderIntegerDotProductFeatures integer_dot = {
        VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_INTEGER_DOT_PRODUCT_FEATURES, features.pNext, .shaderIntegerDotProduct = VK_TRUE};
    if (caps->integer_dot)
        features.pNext = &integer_dot;
    VkPhysicalDeviceSubgroupSizeControlFeatures size_control = {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_FEATURES,
                                                                features.pNext, .subgroupSizeControl = VK_TRUE,
                                                                .computeFullSubgroups = VK_TRUE};
    if (caps->subgroup_size_control)
        features.pNext = &size_control;
    VkPhysicalDevicePipelineExecutablePropertiesFeaturesKHR executable_properties = {
        VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PIPELINE_EXECUTABLE_PROPERTIES_FEATURES_KHR, features.pNext,
        .pipelineExecutableInfo = VK_TRUE};
    if (device->capture_statistics)
        features.pNext = &executable_properties;

    VkPhysicalDevicePerformanceQueryFeaturesKHR performance_query = {
        VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PERFORMANCE_QUERY_FEATURES_KHR, features.pNext, .performanceCounterQueryPools = VK_TRUE};
    if (device->want_gauges)
        features.pNext = &performance_query;

    VkPhysicalDeviceCooperativeMatrixFeaturesKHR matrix = {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_FEATURES_KHR,
                                                           features.pNext, .cooperativeMatrix = VK_TRUE};
    VkPhysicalDeviceVulkanMemoryModelFeatures memory_model = {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_MEMORY_MODEL_FEATURES,
                                                              &matrix, .vulkanMemoryModel = VK_TRUE};
    if (caps->cooperative_matrix)
        features.pNext = &memory_model;
    VkPhysicalDeviceCooperativeMatrix2FeaturesNV matrix2 = {
        VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_2_FEATURES_NV, features.pNext, .cooperativeMatrixReductions = VK_TRUE,
        .cooperativeMatrixConversions = VK_TRUE, .cooperativeMatrixPerElementOperations = VK_TRUE};
    VkPhysicalDeviceMaintenance4Features maintenance4 = {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_4_FEATURES, &matrix2,
                                                         .maintenance4 = VK_TRUE};
    if (matrix_reduce)
        features.pNext = &maintenance4;

    VkDeviceQueueCreateInfo queue = {VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO, .queueFamilyIndex = physical->queue_family,
                                     .queueCount = physical->caps.side_queue ? 2 : 1, .pQueuePriorities = (const float[]){1, 0.5f}};
    VkDeviceCreateInfo info = {
        VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
        .pNext = &features,
        .queueCreateInfoCount = 1,
        .pQueueCreateInfos = &queue,
        .enabledExtensionCount = extension_count,
        .ppEnabledExtensionNames = extensions,
    };
    BR_TRY(BR_VK(vkCreateDevice(physical->handle, &info, NULL, &device->handle)));
    volkLoadDeviceTable(&device->fn, device->handle);
    device->queue_family = physical->queue_family;
    device->fn.vkGetDeviceQueue(device->handle, device->queue_family, 0, &device->queue);
    if (physical->caps.side_queue)
        device->fn.vkGetDeviceQueue(device->handle, device->queue_family, 1, &device->side_queue);
    else if (caps->side_queue)
        device->side_queue = device->queue;
    return NULL;
}

br_status br_vk_device_create(const br_vk_device_params *params, br_vk_device **out_device)
{
    br_status status = NULL;
    br_vk_instance *instance = params->instance;
    *out_device = NULL;
    if (params->index < 0 || params->index >= instance->device_count)
        return br_fail(BR_ERROR_NOT_FOUND, "there is no device %d", params->index);
    const br_vk_physical *physical = &instance->devices[params->index];
    if (physical->unusable)
        return br_fail(BR_ERROR_UNSUPPORTED, "%s cannot be used: %s", physical->caps.name, physical->unusable);
    br_vk_device *device = calloc(1, sizeof *device);
    if (!device)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory");
    *device = (br_vk_device){.instance = instance, .physical = physical, .caps = physical->caps};
    device->counters = calloc(1, sizeof *device->counters);
    if (!device->counters)
        BR_FAIL_GOTO(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory");
    apply_params(device, params);
    if (params->integer_dot == BR_VK_ON && !device->caps.integer_dot)
        BR_FAIL_GOTO(BR_ERROR_UNSUPPORTED, "no integer dot products, or none to be trusted");
    if (params->matrix_units == BR_VK_ON && !device->caps.cooperative_matrix)
        BR_FAIL_GOTO(BR_ERROR_UNSUPPORTED, "no matrix units for f16 (VK_KHR_cooperative_matrix), or none to be trusted");
    if (params->gauges && !physical->caps.performance_query)
        BR_FAIL_GOTO(BR_ERROR_UNSUPPORTED, "no hardware counters: the driver lacks VK_KHR_performance_query");
    BR_TRY_GOTO(create_handle(device));
    br_vk_clock_init(device);
    if (params->gauges)
        BR_TRY_GOTO(br_vk_gauges_init(physical->handle, device->queue_family, &device->gauges));
    BR_TRY_GOTO(br_vk_pipelines_create(device, params->cache_dir));
    BR_TRY_GOTO(br_vk_tuning_load(device, params->cache_dir));
    if (device->host_access != BR_VK_HOST_SHARES)
        BR_TRY_GOTO(br_vk_staging_ensure(device));
    for (size_t i = 0; i < sizeof device->caps.distrusted / sizeof device->caps.distrusted[0] && device->caps.distrusted[i]; i++)
        br_log_printf(instance->log, BR_LOG_INFO, "%s: not used: %s", device->caps.name, device->caps.distrusted[i]);
    *out_device = device;
    return NULL;
fail:
    br_vk_device_destroy(device);
    return br_status_prefix(status, "%s", physical->caps.name);
}

void br_vk_device_destroy(br_vk_device *device)
{
    if (!device)
        return;
    if (device->handle) {
        device->fn.vkDeviceWaitIdle(device->handle); /* a lost device has nothing to wait for */
        br_vk_staging_destroy(device);
        br_vk_pipelines_destroy(device);
        br_vk_memory_finish(device);
        device->fn.vkDestroyDevice(device->handle, NULL);
    }
    br_vk_gauges_finish(&device->gauges);
    free(device->tuning_path);
    free(device->counters);
    free(device);
}

const br_vk_caps *br_vk_device_caps(const br_vk_device *device)
{
    return &device->caps;
}

const br_vk_counters *br_vk_device_counters(const br_vk_device *device)
{
    device->counters->validation_errors = br_vk_instance_validation_errors(device->instance);
    return device->counters;
}

void br_vk_device_forget_peak(br_vk_device *device)
{
    device->counters->memory_peak_bytes = device->counters->memory_bytes;
}

void br_vk_device_set_name(br_vk_device *device, VkObjectType type, uint64_t handle, const char *name)
{
    if (!device->instance->debug_utils || !vkSetDebugUtilsObjectNameEXT)
        return;
    VkDebugUtilsObjectNameInfoEXT info = {VK_STRUCTURE_TYPE_DEBUG_UTILS_OBJECT_NAME_INFO_EXT, .objectType = type,
                                          .objectHandle = handle, .pObjectName = name};
    vkSetDebugUtilsObjectNameEXT(device->handle, &info); /* only out of memory, and a missing name harms nobody */
}

/* Remembers a lost device and says what was going on. */
static br_status note_lost(br_vk_device *device, br_status status, const char *what)
{
    if (br_status_code(status) == BR_ERROR_DEVICE_LOST) {
        device->lost = true;
        return br_status_prefix(status, "%s stopped responding during %s (driver reset or watchdog)", device->caps.name, what);
    }
    return br_status_prefix(status, "%s", what);
}

br_status br_vk_device_wait(br_vk_device *device, const br_vk_wait_params *params)
{
    for (unsigned turn = 1;; turn++) {
        VkResult result = device->fn.vkWaitForFences(device->handle, 1, &params->fence, VK_TRUE, WAIT_NS);
        if (result == VK_SUCCESS)
            return NULL;
        if (result != VK_TIMEOUT)
            return note_lost(device, br_vk_check(result, "vkWaitForFences"), params->what);
        br_log_printf(device->instance->log, BR_LOG_DEBUG, "%s: waiting for %u s", params->what,
                      turn * (unsigned)(WAIT_NS / 1000000000));
    }
}

br_status br_vk_device_submit(br_vk_device *device, VkQueue queue, VkCommandBuffer commands, VkFence fence)
{
    if (device->lost)
        return br_fail(BR_ERROR_DEVICE_LOST, "%s was lost earlier", device->caps.name);
    VkSubmitInfo info = {VK_STRUCTURE_TYPE_SUBMIT_INFO, .commandBufferCount = 1, .pCommandBuffers = &commands};
    BR_TRY(note_lost(device, BR_VK(device->fn.vkQueueSubmit(queue, 1, &info, fence)), "a submission"));
    device->counters->submissions++;
    return NULL;
}
