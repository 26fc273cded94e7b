/* What is made of a driver's failures. The device's own function table is changed for that, so no driver has to fail in earnest. */
#include <string.h>

#include "base/f16.h"
#include "br_shaders.h"
#include "support/device.h"
#include "tests/saxpy.h"
#include "vk/handles.h"
#include "vk/recorder.h"

#define MIB (UINT64_C(1) << 20)

static PFN_vkAllocateMemory real_allocate;
static uint64_t largest_allocation;

static VkResult VKAPI_PTR allocate_little(VkDevice device, const VkMemoryAllocateInfo *info, const VkAllocationCallbacks *callbacks,
                                          VkDeviceMemory *out_memory)
{
    if (info->allocationSize > largest_allocation)
        return VK_ERROR_OUT_OF_DEVICE_MEMORY;
    return real_allocate(device, info, callbacks, out_memory);
}

/* A driver that reports plenty of memory and has little: blocks shrink until they fit. */
static void blocks_shrink(void **state)
{
    br_vk_device *device = ((br_test_device *)*state)->device;
    br_vk_buffer *buffers[5];
    real_allocate = device->fn.vkAllocateMemory;
    device->fn.vkAllocateMemory = allocate_little;
    largest_allocation = 5 * MIB;
    const br_vk_counters *counters = br_vk_device_counters(device), before = *counters;
    for (int i = 0; i < 4; i++)
        assert_status_ok(br_vk_buffer_create(device, BR_VK_BUFFER_DEVICE, MIB, "small", &buffers[i]));
    assert_int_equal(counters->memory_allocations, before.memory_allocations + 1);
    uint64_t added = counters->memory_bytes - before.memory_bytes;
    assert_true(added >= 4 * MIB && added <= 5 * MIB);
    assert_status_ok(br_vk_buffer_create(device, BR_VK_BUFFER_DEVICE, 5 * MIB, "exact", &buffers[4]));
    br_vk_buffer *none = NULL;
    assert_status(br_vk_buffer_create(device, BR_VK_BUFFER_DEVICE, 5 * MIB + 1, "weights", &none), BR_ERROR_OUT_OF_DEVICE_MEMORY,
                  "buffer weights of 5242881 bytes: 5.0 MiB asked, ");
    assert_null(none);
    for (int i = 0; i < 5; i++)
        br_vk_buffer_destroy(buffers[i]);
}

static void allocations_are_counted(void **state)
{
    br_vk_device *device = ((br_test_device *)*state)->device;
    br_vk_buffer *buffers[3] = {NULL};
    device->caps.max_allocations = device->memory.allocations + 2;
    assert_status_ok(br_vk_buffer_create(device, BR_VK_BUFFER_DEVICE, 97 * MIB, "first", &buffers[0]));
    assert_status_ok(br_vk_buffer_create(device, BR_VK_BUFFER_DEVICE, 97 * MIB, "second", &buffers[1]));
    assert_status(br_vk_buffer_create(device, BR_VK_BUFFER_DEVICE, 97 * MIB, "third", &buffers[2]), BR_ERROR_OUT_OF_DEVICE_MEMORY,
                  "third");
    br_vk_buffer_destroy(buffers[0]);
    assert_status_ok(br_vk_buffer_create(device, BR_VK_BUFFER_DEVICE, 97 * MIB, "third", &buffers[2]));
    br_vk_buffer_destroy(buffers[1]);
    br_vk_buffer_destroy(buffers[2]);
}

static VkResult VKAPI_PTR build_nothing(VkDevice device, VkPipelineCache cache, uint32_t count,
                                        const VkComputePipelineCreateInfo *infos, const VkAllocationCallbacks *callbacks,
                                        VkPipeline *out_pipelines)
{
    (void)device, (void)cache, (void)count, (void)infos, (void)callbacks;
    *out_pipelines = VK_NULL_HANDLE;
    return VK_ERROR_INITIALIZATION_FAILED;
}

static br_status build(br_vk_device *device, const br_vk_pipeline **out_pipeline)
{
    const br_shader *shader = &br_shaders[BR_SHADER_TEST_SAXPY];
    br_vk_pipeline_params params = {.name = shader->name,
                                    .words = shader->words,
                                    .size = shader->size,
                                    .binding_count = 3,
                                    .push_size = sizeof(br_saxpy_push),
                                    .spec_count = 1,
                                    .spec = {br_f32_to_bits(1)}};
    return br_vk_device_pipeline(device, &params, out_pipeline);
}

static void shaders_are_named(void **state)
{
    br_vk_device *device = ((br_test_device *)*state)->device;
    const br_vk_pipeline *pipeline = NULL;
    PFN_vkCreateComputePipelines real = device->fn.vkCreateComputePipelines;
    device->fn.vkCreateComputePipelines = build_nothing;
    assert_status(build(device, &pipeline), BR_ERROR_VULKAN, "shader test_saxpy on ");
    assert_status(build(device, &pipeline), BR_ERROR_VULKAN,
                  "vkCreateComputePipelines failed with VK_ERROR_INITIALIZATION_FAILED (-3)");
    assert_null(pipeline);
    device->fn.vkCreateComputePipelines = real;
    assert_status_ok(build(device, &pipeline)); /* the failure was not remembered */
}

/* One dispatch over 13 elements; the caller destroys both. */
static void record_one(br_vk_device *device, bool timestamps, br_vk_buffer **out_buffer, br_vk_recording **out_recording)
{
    br_vk_recorder *recorder = NULL;
    br_saxpy_push push = {13, 1};
    br_vk_dispatch dispatch = {.name = "only", .binding_count = 3, .push = &push, .groups = {1, 1, 1}};
    assert_status_ok(br_vk_buffer_create(device, BR_VK_BUFFER_DEVICE, 1024, "values", out_buffer));
    assert_status_ok(build(device, &dispatch.pipeline));
    for (uint32_t i = 0; i < 3; i++)
        dispatch.bindings[i] = (br_vk_binding){*out_buffer, 256 * i, 52, i ? BR_VK_READ : BR_VK_WRITE};
    br_vk_recorder_params params = {.device = device, .name = "unet", .dispatch_max = 1, .timestamps = timestamps};
    assert_status_ok(br_vk_recorder_create(&params, &recorder));
    assert_status_ok(br_vk_recorder_dispatch(recorder, &dispatch));
    assert_status_ok(br_vk_recorder_end(recorder, out_recording));
}

static VkResult VKAPI_PTR wait_in_vain(VkDevice device, uint32_t count, const VkFence *fences, VkBool32 all, uint64_t timeout)
{
    (void)device, (void)count, (void)fences, (void)all, (void)timeout;
    return VK_ERROR_DEVICE_LOST;
}

static VkResult VKAPI_PTR submit_in_vain(VkQueue queue, uint32_t count, const VkSubmitInfo *infos, VkFence fence)
{
    (void)queue, (void)count, (void)infos, (void)fence;
    return VK_ERROR_DEVICE_LOST;
}

static void lost_while_running(void **state)
{
    br_vk_device *device = ((br_test_device *)*state)->device;
    br_vk_buffer *buffer = NULL;
    br_vk_recording *recording = NULL;
    record_one(device, false, &buffer, &recording);
    PFN_vkWaitForFences real = device->fn.vkWaitForFences;
    device->fn.vkWaitForFences = wait_in_vain;
    br_status status = br_vk_recording_run(recording);
    device->fn.vkWaitForFences = real;
    device->fn.vkDeviceWaitIdle(device->handle);
    assert_non_null(strstr(br_status_message(status), "unet"));
    assert_status(status, BR_ERROR_DEVICE_LOST, "stopped responding");
    /* From now on nothing is submitted any more, and everything can be released. */
    assert_status(br_vk_recording_run(recording), BR_ERROR_DEVICE_LOST, "unet");
    br_vk_recording_destroy(recording);
    br_vk_buffer_destroy(buffer);
}

static void lost_while_submitting(void **state)
{
    br_vk_device *device = ((br_test_device *)*state)->device;
    br_vk_buffer *buffer = NULL;
    br_vk_recording *recording = NULL;
    record_one(device, false, &buffer, &recording);
    device->fn.vkQueueSubmit = submit_in_vain;
    assert_status(br_vk_recording_run(recording), BR_ERROR_DEVICE_LOST, "unet");
    br_vk_recording_destroy(recording);
    br_vk_buffer_destroy(buffer);
}

static int turns;
static PFN_vkWaitForFences real_wait;

static VkResult VKAPI_PTR wait_long(VkDevice device, uint32_t count, const VkFence *fences, VkBool32 all, uint64_t timeout)
{
    return turns-- > 0 ? VK_TIMEOUT : real_wait(device, count, fences, all, timeout);
}

static void slow_is_not_lost(void **state)
{
    br_vk_device *device = ((br_test_device *)*state)->device;
    br_vk_buffer *buffer = NULL;
    br_vk_recording *recording = NULL;
    record_one(device, false, &buffer, &recording);
    real_wait = device->fn.vkWaitForFences;
    device->fn.vkWaitForFences = wait_long;
    turns = 7;
    assert_status_ok(br_vk_recording_run(recording));
    assert_int_equal(turns, -1);
    br_vk_recording_destroy(recording);
    br_vk_buffer_destroy(buffer);
}

/* A counter of 36 bits, as some Intel devices have, that wraps around in between; the bits above are rubbish. */
static VkResult VKAPI_PTR wrapping_ticks(VkDevice device, VkQueryPool pool, uint32_t first, uint32_t count, size_t size, void *data,
                                         VkDeviceSize stride, VkQueryResultFlags flags)
{
    (void)device, (void)pool, (void)first, (void)stride;
    assert_int_equal(count, 2);
    assert_int_equal(size, 2 * sizeof(uint64_t));
    assert_true(flags & VK_QUERY_RESULT_64_BIT);
    uint64_t *ticks = data;
    ticks[0] = UINT64_C(0xabc0000000000000) | ((UINT64_C(1) << 36) - 13);
    ticks[1] = UINT64_C(0x1230000000000000) | 89;
    return VK_SUCCESS;
}

static void timestamps_wrap_around(void **state)
{
    br_vk_device *device = ((br_test_device *)*state)->device;
    br_vk_buffer *buffer = NULL;
    br_vk_recording *recording = NULL;
    double begin = -1, end = -1;
    if (device->caps.timestamp_bits == 0)
        skip();
    device->caps.timestamp_bits = 36;
    device->caps.timestamp_period = 52.08;
    record_one(device, true, &buffer, &recording);
    device->fn.vkGetQueryPoolResults = wrapping_ticks;
    assert_false(br_vk_recording_time(recording, 0, &begin, &end)); /* it has not run */
    assert_status_ok(br_vk_recording_run(recording));
    assert_true(br_vk_recording_time(recording, 0, &begin, &end));
    assert_true(begin == 0 && end == 102 * 52.08);
    br_vk_recording_destroy(recording);
    br_vk_buffer_destroy(buffer);
}

#define FAULT(test) cmocka_unit_test_setup_teardown(test, br_test_device_setup, br_test_device_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FAULT(blocks_shrink),         FAULT(allocations_are_counted), FAULT(shaders_are_named),      FAULT(lost_while_running),
        FAULT(lost_while_submitting), FAULT(slow_is_not_lost),        FAULT(timestamps_wrap_around),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
