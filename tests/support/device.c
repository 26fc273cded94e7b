#include "support/device.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vk/vendor.h"

br_test_device *br_test_device_open(const br_vk_device_params *params)
{
    br_test_device *test = calloc(1, sizeof *test);
    assert_non_null(test);
    int index = 0;
    br_status status = br_vk_instance_create(&(br_vk_instance_params){0}, &test->instance);
    if (!status)
        status = br_vk_instance_select(test->instance, NULL, &index);
    if (br_status_code(status) == BR_ERROR_NO_VULKAN) {
        fprintf(stderr, "skipped: %s\n", br_status_message(status));
        exit(BR_TEST_SKIP);
    }
    assert_status_ok(status);
    br_vk_device_params own = params ? *params : (br_vk_device_params){0};
    own.instance = test->instance;
    own.index = index;
    assert_status_ok(br_vk_device_create(&own, &test->device));
    test->caps = br_vk_device_caps(test->device);
    return test;
}

/* Device before instance, so that what was left behind is reported while somebody listens. */
static uint64_t close_and_count(br_test_device *test)
{
    br_vk_device_destroy(test->device);
    uint64_t errors = br_vk_instance_validation_errors(test->instance);
    br_vk_instance_destroy(test->instance);
    free(test);
    if (errors > 0)
        print_error("the validation layers reported %" PRIu64 " errors\n", errors);
    return errors;
}

void br_test_device_close(br_test_device *test)
{
    if (test)
        assert_int_equal(close_and_count(test), 0);
}

br_test_device br_test_device_as_mali(const br_test_device *test, br_vk_caps *caps)
{
    *caps = *test->caps;
    caps->type = VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU;
    caps->vendor_id = BR_VENDOR_ARM;
    caps->max_invocations = 512; /* more than Bifrost has */
    br_test_device mali = *test;
    mali.caps = caps;
    return mali;
}

bool br_test_device_is_slow(const br_test_device *test)
{
    return strstr(test->caps->name, "SwiftShader") != NULL;
}

const char *br_test_any_model(const br_test_device *test)
{
    return br_test_device_is_slow(test) ? "tests/data/tiny/odd" : "assets/models/emoji";
}

int br_test_device_setup(void **state)
{
    *state = br_test_device_open(NULL);
    return 0;
}

int br_test_device_teardown(void **state)
{
    if (close_and_count(*state) > 0)
        exit(1);
    return 0;
}
