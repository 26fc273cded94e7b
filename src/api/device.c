#include "brume/device.h"

#include <assert.h>
#include <stdlib.h>

#include "api/context.h"
#include "base/place.h"

br_status br_context_create(const br_context_params *params, br_context **out_context)
{
    *out_context = NULL;
    br_context *context = calloc(1, sizeof *context);
    if (!context)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory");
    context->log = (br_log){.write = params->log, .user = params->log_user, .level = params->log_level};
    br_status status =
        br_vk_instance_create(&(br_vk_instance_params){.log = &context->log, .validation = params->validation}, &context->instance);
    if (status) {
        free(context);
        return status;
    }
    *out_context = context;
    return NULL;
}

void br_context_destroy(br_context *context)
{
    if (!context)
        return;
    br_vk_instance_destroy(context->instance);
    free(context);
}

uint64_t br_context_validation_errors(const br_context *context)
{
    return br_vk_instance_validation_errors(context->instance);
}

int br_context_device_count(const br_context *context)
{
    return br_vk_instance_device_count(context->instance);
}

static_assert(BR_CHOICE_AUTO == (int)BR_VK_AUTO && BR_CHOICE_ON == (int)BR_VK_ON && BR_CHOICE_OFF == (int)BR_VK_OFF,
              "the library's choices are the device's");

static const char *kind_name(VkPhysicalDeviceType type)
{
    switch (type) {
    case VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU:
        return "discrete";
    case VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU:
        return "integrated";
    case VK_PHYSICAL_DEVICE_TYPE_VIRTUAL_GPU:
        return "virtual";
    case VK_PHYSICAL_DEVICE_TYPE_CPU:
        return "cpu";
    default:
        return "other";
    }
}

br_status br_context_device_info(const br_context *context, int index, br_device_info *out_info)
{
    int count = br_vk_instance_device_count(context->instance);
    if (index < 0 || index >= count)
        return br_fail(BR_ERROR_NOT_FOUND, "there is no device %d, expected 0 to %d", index, count - 1);
    const char *problem;
    const br_vk_caps *caps = br_vk_instance_caps(context->instance, index, &problem);
    *out_info = (br_device_info){
        .index = index,
        .name = caps->name,
        .driver = caps->driver,
        .driver_info = caps->driver_info,
        .kind = kind_name(caps->type),
        .problem = problem,
        .api_version = caps->api_version,
        .device_local_bytes = caps->device_local_bytes,
        .unified_memory = caps->unified_memory,
        .dtype = caps->f16_storage ? "f16" : "f32",
        .f16_storage = caps->f16_storage,
        .f16_arithmetic = caps->f16_arithmetic,
        .integer_dot = caps->integer_dot,
        .integer_dot_fast = caps->integer_dot_fast,
        .second_queue = caps->side_queue,
        .cooperative_matrix = caps->cooperative_matrix,
        .timestamps = caps->timestamp_bits > 0,
        .subgroup_min = caps->subgroup_min,
        .subgroup_max = caps->subgroup_max,
        .max_invocations = caps->max_invocations,
        .max_shared_bytes = caps->max_shared,
        .max_binding_bytes = caps->max_storage_range,
    };
    return NULL;
}

br_status br_device_open(const br_device_params *params, br_device **out_device)
{
    *out_device = NULL;
    int index;
    BR_TRY(br_vk_instance_select(params->context->instance, params->selector, &index));
    br_device *device = calloc(1, sizeof *device);
    if (!device)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory");
    device->context = params->context;
    char *user_cache = params->cache_dir ? NULL : br_place_cache();
    const char *cache = params->cache_dir ? params->cache_dir : user_cache;
    br_status status = br_vk_device_create(
        &(br_vk_device_params){
            .instance = params->context->instance,
            .index = index,
            .cache_dir = cache && cache[0] ? cache : NULL,
            .gauges = params->hardware_counters,
            .integer_dot = (br_vk_choice)params->integer_dot,
            .matrix_units = (br_vk_choice)params->matrix_units,
        },
        &device->device);
    free(user_cache);
    if (status) {
        free(device);
        return status;
    }
    *out_device = device;
    return NULL;
}

void br_device_close(br_device *device)
{
    if (!device)
        return;
    br_vk_device_destroy(device->device);
    free(device);
}

const char *br_device_name(const br_device *device)
{
    return br_vk_device_caps(device->device)->name;
}

br_device_counters br_device_get_counters(const br_device *device)
{
    const br_vk_counters *counters = br_vk_device_counters(device->device);
    return (br_device_counters){
        .recorded_commands = counters->recorded_commands,
        .memory_allocations = counters->memory_allocations,
        .buffers = counters->buffers,
        .pipelines = counters->pipelines,
        .submissions = counters->submissions,
        .memory_bytes = counters->memory_bytes,
        .memory_peak_bytes = counters->memory_peak_bytes,
    };
}
