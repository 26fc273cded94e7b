/* Hardware counters, as far as a driver without them can show: values of every storage, and a clear refusal. */
#include "vk/gauges.h"

#include "support/device.h"
#include "vk/handles.h"

static void values(void **state)
{
    (void)state;
    br_vk_gauge gauge = {.storage = VK_PERFORMANCE_COUNTER_STORAGE_INT32_KHR};
    assert_true(br_vk_gauge_value(&gauge, &(VkPerformanceCounterResultKHR){.int32 = -7}) == -7);
    gauge.storage = VK_PERFORMANCE_COUNTER_STORAGE_INT64_KHR;
    assert_true(br_vk_gauge_value(&gauge, &(VkPerformanceCounterResultKHR){.int64 = -(INT64_C(1) << 40)}) == -0x1p40);
    gauge.storage = VK_PERFORMANCE_COUNTER_STORAGE_UINT32_KHR;
    assert_true(br_vk_gauge_value(&gauge, &(VkPerformanceCounterResultKHR){.uint32 = UINT32_MAX}) == 4294967295.0);
    gauge.storage = VK_PERFORMANCE_COUNTER_STORAGE_UINT64_KHR;
    assert_true(br_vk_gauge_value(&gauge, &(VkPerformanceCounterResultKHR){.uint64 = UINT64_C(1) << 63}) == 0x1p63);
    gauge.storage = VK_PERFORMANCE_COUNTER_STORAGE_FLOAT32_KHR;
    assert_true(br_vk_gauge_value(&gauge, &(VkPerformanceCounterResultKHR){.float32 = 0.5f}) == 0.5);
    gauge.storage = VK_PERFORMANCE_COUNTER_STORAGE_FLOAT64_KHR;
    assert_true(br_vk_gauge_value(&gauge, &(VkPerformanceCounterResultKHR){.float64 = 0.1}) == 0.1);
}

static void opened(void **state)
{
    br_test_device *test = *state;
    br_vk_device *device = NULL;
    assert_null(br_vk_device_gauges(test->device)); /* nobody asked */
    int index;
    assert_status_ok(br_vk_instance_select(test->instance, NULL, &index));
    const br_vk_device_params params = {.instance = test->instance, .index = index, .gauges = true};
    if (!test->caps->performance_query) {
        assert_status(br_vk_device_create(&params, &device), BR_ERROR_UNSUPPORTED, "VK_KHR_performance_query");
        assert_null(device);
        return;
    }
    assert_status_ok(br_vk_device_create(&params, &device));
    const br_vk_gauges *gauges = br_vk_device_gauges(device);
    VkQueryPool pool;
    assert_non_null(gauges);
    assert_true(gauges->count > 0 && gauges->count <= gauges->offered);
    assert_status_ok(br_vk_gauges_lock(device));
    assert_status_ok(br_vk_gauges_pool(device, 3, &pool));
    br_vk_gauges_unlock(device);
    device->fn.vkDestroyQueryPool(device->handle, pool, NULL);
    br_vk_device_destroy(device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values),
        cmocka_unit_test(opened),
    };
    return cmocka_run_group_tests(tests, br_test_device_setup, br_test_device_teardown);
}
