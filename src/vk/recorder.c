#include "vk/recorder.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vk/buffer_handle.h"
#include "vk/handles.h"
#include "vk/hazards.h"
#include "vk/labels.h"
#include "vk/pipeline_table.h"
#include "vk/recording.h"

/* FLOPs of one submission. A submission must end before a GPU's watchdog loses patience (2 s on Windows, 10 s on Linux) and should leave the desktop
 * a turn now and then: 200 GFLOP take 0.1 s on a discrete GPU at 2 TFLOP/s and 1 s at the slowest; integrated ones reach 0.1 to 2 TFLOP/s. A CPU has
 * no watchdog, but whoever cancels waits for the submissions under way: about a second each at 10 GFLOP/s. */
#define FLOPS_DISCRETE UINT64_C(200000000000)
#define FLOPS_INTEGRATED UINT64_C(20000000000)
#define FLOPS_CPU UINT64_C(10000000000)

struct br_vk_recorder {
    br_vk_recording *recording; /* owned until br_vk_recorder_end */
    br_vk_hazards hazards;
    uint32_t dispatch_max;
    uint64_t flops_per_submit, flops; /* of the submission being recorded */
    VkCommandBuffer commands;         /* borrowed; the one being recorded */
    bool serialise;
    bool stamped; /* a dispatch of this submission has ended: the next one begins there */
    br_vk_labels labels;
    const br_vk_pipeline *bound; /* in `commands` */
};

static uint64_t default_flops(VkPhysicalDeviceType type)
{
    switch (type) {
    case VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU:
        return FLOPS_DISCRETE;
    case VK_PHYSICAL_DEVICE_TYPE_CPU:
        return FLOPS_CPU;
    default:
        return FLOPS_INTEGRATED;
    }
}

static void global_barrier(br_vk_recorder *recorder, VkPipelineStageFlags src, VkAccessFlags src_access, VkPipelineStageFlags dst,
                           VkAccessFlags dst_access)
{
    VkMemoryBarrier memory = {VK_STRUCTURE_TYPE_MEMORY_BARRIER, .srcAccessMask = src_access, .dstAccessMask = dst_access};
    recorder->recording->device->fn.vkCmdPipelineBarrier(recorder->commands, src, dst, 0, 1, &memory, 0, NULL, 0, NULL);
}

/* Opens the next command buffer. Barriers reach across command buffers of one queue, so splitting needs none. */
static br_status begin_submission(br_vk_recorder *recorder)
{
    br_vk_recording *recording = recorder->recording;
    br_vk_device *device = recording->device;
    if (recording->submission_count == recording->submission_capacity) {
        uint32_t capacity = recording->submission_capacity ? recording->submission_capacity * 2 : 4;
        br_vk_submission *list = realloc(recording->submissions, capacity * sizeof *list);
        if (!list)
            return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory");
        recording->submissions = list;
        recording->submission_capacity = capacity;
    }
    br_vk_submission *submission = &recording->submissions[recording->submission_count++];
    *submission = (br_vk_submission){0};
    VkFenceCreateInfo fence = {VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};
    BR_TRY(BR_VK(device->fn.vkCreateFence(device->handle, &fence, NULL, &submission->fence)));
    VkCommandBufferAllocateInfo allocate = {VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO, .commandPool = recording->pool,
                                            .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY, .commandBufferCount = 1};
    BR_TRY(BR_VK(device->fn.vkAllocateCommandBuffers(device->handle, &allocate, &submission->commands)));
    VkCommandBufferBeginInfo begin = {VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO};
    BR_TRY(BR_VK(device->fn.vkBeginCommandBuffer(submission->commands, &begin)));
    br_vk_device_set_name(device, VK_OBJECT_TYPE_COMMAND_BUFFER, (uint64_t)(uintptr_t)submission->commands, recording->name);
    recorder->commands = submission->commands;
    recorder->labels.commands = submission->commands;
    recorder->bound = NULL;
    recorder->flops = 0;
    recorder->stamped = false;
    return NULL;
}

static br_status create_gauges(uint32_t count, br_vk_recording *recording)
{
    br_vk_device *device = recording->device;
    BR_TRY(br_vk_gauges_lock(device));
    recording->locked = true;
    BR_TRY(br_vk_gauges_pool(device, count, &recording->gauges));
    recording->results = calloc(count, device->gauges.count * sizeof *recording->results);
    return recording->results ? NULL : br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory");
}

static br_status create_pools(const br_vk_recorder_params *params, br_vk_recording *recording)
{
    br_vk_device *device = params->device;
    uint32_t count = params->dispatch_max;
    VkCommandPoolCreateInfo pool = {VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO, .queueFamilyIndex = device->queue_family};
    BR_TRY(BR_VK(device->fn.vkCreateCommandPool(device->handle, &pool, NULL, &recording->pool)));
    VkDescriptorPoolSize size = {VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, count * BR_VK_BINDING_MAX};
    VkDescriptorPoolCreateInfo descriptors = {VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO, .maxSets = count, .poolSizeCount = 1,
                                              .pPoolSizes = &size};
    BR_TRY(BR_VK(device->fn.vkCreateDescriptorPool(device->handle, &descriptors, NULL, &recording->descriptors)));
    if (params->gauges && br_vk_device_gauges(device))
        BR_TRY(create_gauges(count, recording));
    if (!params->timestamps || device->caps.timestamp_bits == 0)
        return NULL;
    VkQueryPoolCreateInfo queries = {VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO, .queryType = VK_QUERY_TYPE_TIMESTAMP,
                                     .queryCount = 2 * count};
    BR_TRY(BR_VK(device->fn.vkCreateQueryPool(device->handle, &queries, NULL, &recording->queries)));
    recording->ticks = calloc(count, 2 * sizeof *recording->ticks);
    recording->stamps = calloc(count, sizeof *recording->stamps);
    return recording->ticks && recording->stamps ? NULL : br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory");
}

br_status br_vk_recorder_create(const br_vk_recorder_params *params, br_vk_recorder **out_recorder)
{
    br_status status = NULL;
    br_vk_device *device = params->device;
    *out_recorder = NULL;
    if (params->dispatch_max == 0 || params->dispatch_max > UINT32_MAX / BR_VK_BINDING_MAX)
        return br_fail(BR_ERROR_ARGUMENT, "recording %s: %" PRIu32 " dispatches", params->name, params->dispatch_max);
    br_vk_recorder *recorder = calloc(1, sizeof *recorder);
    if (!recorder)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory");
    recorder->recording = calloc(1, sizeof *recorder->recording);
    if (!recorder->recording)
        BR_FAIL_GOTO(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory");
    br_vk_recording *recording = recorder->recording;
    recording->device = device;
    recording->queue = params->beside ? device->side_queue : device->queue;
    snprintf(recording->name, sizeof recording->name, "%s", params->name);
    recorder->dispatch_max = params->dispatch_max;
    recorder->flops_per_submit = params->flops_per_submit ? params->flops_per_submit : default_flops(device->caps.type);
    recorder->serialise = params->serialise;
    recorder->labels.enabled = device->instance->debug_utils && vkCmdBeginDebugUtilsLabelEXT;
    if (!recording->queue)
        BR_FAIL_GOTO(BR_ERROR_UNSUPPORTED, "there is no second queue");
    BR_TRY_GOTO(create_pools(params, recording));
    BR_TRY_GOTO(begin_submission(recorder));
    if (recording->queries)
        device->fn.vkCmdResetQueryPool(recorder->commands, recording->queries, 0, 2 * params->dispatch_max);
    if (recording->gauges)
        device->fn.vkCmdResetQueryPool(recorder->commands, recording->gauges, 0, params->dispatch_max);
    /* Uploads and earlier recordings; what the host wrote before vkQueueSubmit is visible by that call. */
    global_barrier(recorder, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT,
                   VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_WRITE_BIT, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT,
                   VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT);
    *out_recorder = recorder;
    return NULL;
fail:
    br_vk_recorder_destroy(recorder);
    return br_status_prefix(status, "recording %s", params->name);
}

void br_vk_recorder_destroy(br_vk_recorder *recorder)
{
    if (!recorder)
        return;
    br_vk_hazards_finish(&recorder->hazards);
    br_vk_recording_destroy(recorder->recording);
    free(recorder);
}

static br_status check_dispatch(const br_vk_recorder *recorder, const br_vk_dispatch *dispatch)
{
    const br_vk_caps *caps = &recorder->recording->device->caps;
    const br_vk_pipeline_params *params = &dispatch->pipeline->params;
    if (recorder->recording->dispatch_count == recorder->dispatch_max)
        return br_fail(BR_ERROR_ARGUMENT, "more than the %" PRIu32 " dispatches that were announced", recorder->dispatch_max);
    if (dispatch->binding_count != params->binding_count)
        return br_fail(BR_ERROR_ARGUMENT, "%" PRIu32 " buffers for shader %s, which binds %" PRIu32, dispatch->binding_count,
                       params->name, params->binding_count);
    for (int i = 0; i < 3; i++)
        if (dispatch->groups[i] == 0 || dispatch->groups[i] > caps->max_groups[i])
            return br_fail(BR_ERROR_ARGUMENT,
                           "%" PRIu32 "x%" PRIu32 "x%" PRIu32 " workgroups, the device's limit is %" PRIu32 "x%" PRIu32 "x%" PRIu32,
                           dispatch->groups[0], dispatch->groups[1], dispatch->groups[2], caps->max_groups[0], caps->max_groups[1],
                           caps->max_groups[2]);
    for (uint32_t i = 0; i < dispatch->binding_count; i++) {
        const br_vk_binding *b = &dispatch->bindings[i];
        if (b->size == 0 || b->offset > b->buffer->size || b->size > b->buffer->size - b->offset)
            return br_fail(BR_ERROR_ARGUMENT,
                           "binding %" PRIu32 ": bytes %" PRIu64 " + %" PRIu64 " are outside of buffer %s, which has %" PRIu64, i,
                           b->offset, b->size, b->buffer->name, b->buffer->size);
        if (b->offset % caps->storage_alignment != 0)
            return br_fail(BR_ERROR_ARGUMENT, "binding %" PRIu32 ": offset %" PRIu64 " is not a multiple of %" PRIu64, i, b->offset,
                           caps->storage_alignment);
        if (b->size > caps->max_storage_range)
            return br_fail(BR_ERROR_ARGUMENT, "binding %" PRIu32 ": %" PRIu64 " bytes, the device binds at most %" PRIu64, i,
                           b->size, caps->max_storage_range);
    }
    return NULL;
}

static br_status make_set(br_vk_recorder *recorder, const br_vk_dispatch *dispatch, VkDescriptorSet *out_set)
{
    br_vk_recording *recording = recorder->recording;
    br_vk_device *device = recording->device;
    VkDescriptorSetAllocateInfo allocate = {
        VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
        .descriptorPool = recording->descriptors,
        .descriptorSetCount = 1,
        .pSetLayouts = &dispatch->pipeline->set_layout,
    };
    BR_TRY(BR_VK(device->fn.vkAllocateDescriptorSets(device->handle, &allocate, out_set)));
    VkDescriptorBufferInfo infos[BR_VK_BINDING_MAX];
    VkWriteDescriptorSet writes[BR_VK_BINDING_MAX];
    for (uint32_t i = 0; i < dispatch->binding_count; i++) {
        const br_vk_binding *b = &dispatch->bindings[i];
        infos[i] = (VkDescriptorBufferInfo){.buffer = b->buffer->handle, .offset = b->offset, .range = b->size};
        writes[i] = (VkWriteDescriptorSet){
            VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
            .dstSet = *out_set,
            .dstBinding = i,
            .descriptorCount = 1,
            .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
            .pBufferInfo = &infos[i],
        };
    }
    device->fn.vkUpdateDescriptorSets(device->handle, dispatch->binding_count, writes, 0, NULL);
    return NULL;
}

static br_vk_touch touch_of(const br_vk_binding *binding)
{
    return (br_vk_touch){
        .buffer = binding->buffer,
        .offset = binding->offset,
        .size = binding->size,
        .read = binding->access & BR_VK_READ,
        .write = binding->access & BR_VK_WRITE,
    };
}

/* A barrier when an earlier dispatch touched what this one needs. Its own bindings may overlap: that is how an op works in place. */
static br_status order_dispatch(br_vk_recorder *recorder, const br_vk_dispatch *dispatch)
{
    bool conflict = recorder->serialise && recorder->recording->dispatch_count > 0;
    for (uint32_t i = 0; i < dispatch->binding_count && !conflict; i++) {
        br_vk_touch touch = touch_of(&dispatch->bindings[i]);
        conflict = br_vk_hazards_conflict(&recorder->hazards, &touch);
    }
    if (conflict) {
        global_barrier(recorder, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, VK_ACCESS_SHADER_WRITE_BIT,
                       VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT);
        br_vk_hazards_barrier(&recorder->hazards);
        recorder->recording->barrier_count++;
    }
    for (uint32_t i = 0; i < dispatch->binding_count; i++) {
        br_vk_touch touch = touch_of(&dispatch->bindings[i]);
        if (!br_vk_hazards_add(&recorder->hazards, &touch))
            return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory");
    }
    return NULL;
}

/* A dispatch, or a part of one that is too long for a submission. */
typedef struct dispatch_part {
    VkDescriptorSet set;
    uint32_t base[3], groups[3];
    bool first, last;
} dispatch_part;

static uint32_t write_timestamp(br_vk_recorder *recorder)
{
    br_vk_recording *recording = recorder->recording;
    recording->device->fn.vkCmdWriteTimestamp(recorder->commands, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, recording->queries,
                                              recording->query_count);
    return recording->query_count++;
}

/* A dispatch begins when the ones before it have left the compute stage: durations of dispatches that overlap do not count twice. That is where the one
 * before it ended, so one timestamp does for both, unless there is a barrier of ours between them whose time is nobody's. */
static void begin_time(br_vk_recorder *recorder)
{
    br_vk_recording *recording = recorder->recording;
    bool shared = recorder->stamped && !recorder->serialise;
    recording->stamps[recording->dispatch_count][0] = shared ? recording->query_count - 1 : write_timestamp(recorder);
}

static void end_time(br_vk_recorder *recorder)
{
    br_vk_recording *recording = recorder->recording;
    recording->stamps[recording->dispatch_count][1] = write_timestamp(recorder);
    recorder->stamped = true;
}

static void record_part(br_vk_recorder *recorder, const br_vk_dispatch *dispatch, const dispatch_part *part)
{
    const br_vk_recording *recording = recorder->recording;
    const struct VolkDeviceTable *fn = &recording->device->fn;
    const br_vk_pipeline *pipeline = dispatch->pipeline;
    VkCommandBuffer commands = recorder->commands;
    br_vk_labels_begin(&recorder->labels, dispatch->name);
    if (recording->queries && part->first)
        begin_time(recorder);
    if (recorder->bound != pipeline)
        fn->vkCmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline->handle);
    recorder->bound = pipeline;
    fn->vkCmdBindDescriptorSets(commands, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline->layout, 0, 1, &part->set, 0, NULL);
    if (pipeline->params.push_size)
        fn->vkCmdPushConstants(commands, pipeline->layout, VK_SHADER_STAGE_COMPUTE_BIT, 0, pipeline->params.push_size,
                               dispatch->push);
    if (part->first && part->last)
        fn->vkCmdDispatch(commands, part->groups[0], part->groups[1], part->groups[2]);
    else
        fn->vkCmdDispatchBase(commands, part->base[0], part->base[1], part->base[2], part->groups[0], part->groups[1],
                              part->groups[2]);
    if (recording->queries && part->last)
        end_time(recorder);
    br_vk_labels_end(&recorder->labels);
}

/* Along which dimension a long dispatch is cut. Not along x while there are several rows: shaders fold long grids into x and y, and
 * gl_NumWorkGroups.x, which they fold by, would be the part's. */
static int cut_dimension(const uint32_t groups[3])
{
    if (groups[1] > 1)
        return groups[2] > groups[1] ? 2 : 1;
    return groups[2] > groups[0] ? 2 : 0;
}

static br_status next_submission(br_vk_recorder *recorder)
{
    br_vk_labels_close(&recorder->labels);
    BR_TRY(BR_VK(recorder->recording->device->fn.vkEndCommandBuffer(recorder->commands)));
    return begin_submission(recorder);
}

static br_status record(br_vk_recorder *recorder, const br_vk_dispatch *dispatch)
{
    br_vk_recording *recording = recorder->recording;
    dispatch_part part = {0};
    BR_TRY(check_dispatch(recorder, dispatch));
    BR_TRY(make_set(recorder, dispatch, &part.set));
    int cut = cut_dimension(dispatch->groups);
    uint64_t parts = (dispatch->flops + recorder->flops_per_submit - 1) / recorder->flops_per_submit;
    parts = parts < 1 || recording->gauges ? 1 : parts > dispatch->groups[cut] ? dispatch->groups[cut] : parts;
    uint64_t flops = dispatch->flops / parts;
    /* A query over a whole command buffer is its first and its last command, and is reset in another one. */
    if (recording->gauges) {
        BR_TRY(next_submission(recorder));
        recording->device->fn.vkCmdBeginQuery(recorder->commands, recording->gauges, recording->dispatch_count, 0);
    }
    for (uint64_t i = 0; i < parts; i++) {
        if (!recording->gauges && recorder->flops > 0 && recorder->flops + flops > recorder->flops_per_submit) {
            BR_TRY(next_submission(recorder));
        }
        if (i == 0)
            BR_TRY(order_dispatch(recorder, dispatch));
        memcpy(part.groups, dispatch->groups, sizeof part.groups);
        part.base[cut] = (uint32_t)(dispatch->groups[cut] * i / parts);
        part.groups[cut] = (uint32_t)(dispatch->groups[cut] * (i + 1) / parts) - part.base[cut];
        part.first = i == 0;
        part.last = i + 1 == parts;
        record_part(recorder, dispatch, &part);
        recorder->flops += flops;
    }
    if (recording->gauges) {
        br_vk_labels_close(&recorder->labels);
        recording->device->fn.vkCmdEndQuery(recorder->commands, recording->gauges, recording->dispatch_count);
    }
    recording->dispatch_count++;
    recording->device->counters->recorded_commands++;
    return NULL;
}

br_status br_vk_recorder_dispatch(br_vk_recorder *recorder, const br_vk_dispatch *dispatch)
{
    return br_status_prefix(record(recorder, dispatch), "%s: %s", recorder->recording->name, dispatch->name);
}

br_status br_vk_recorder_end(br_vk_recorder *recorder, br_vk_recording **out_recording)
{
    br_status status = NULL;
    br_vk_recording *recording = recorder->recording;
    *out_recording = NULL;
    if (recording->gauges)
        BR_TRY_GOTO(next_submission(recorder));
    global_barrier(recorder, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, VK_ACCESS_SHADER_WRITE_BIT, VK_PIPELINE_STAGE_HOST_BIT,
                   VK_ACCESS_HOST_READ_BIT);
    br_vk_labels_close(&recorder->labels);
    BR_TRY_GOTO(BR_VK(recording->device->fn.vkEndCommandBuffer(recorder->commands)));
    recorder->recording = NULL;
    *out_recording = recording;
fail:
    status = br_status_prefix(status, "recording %s", recording->name);
    br_vk_recorder_destroy(recorder);
    return status;
}
