/* Finding and choosing devices, opening them, and what is said where there are none. */
#include "vk/device.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/device.h"
#include "vk/buffer.h"
#include "vk/handles.h"

/* The drivers that the test may use, taken from the environment before it is changed. */
static char own_driver[512];

static void use_drivers(const char *files)
{
    setenv("VK_DRIVER_FILES", files, 1);
    setenv("VK_ICD_FILENAMES", files, 1);
}

static int restore_drivers(void **state)
{
    (void)state;
    if (own_driver[0]) {
        use_drivers(own_driver);
    } else {
        unsetenv("VK_DRIVER_FILES");
        unsetenv("VK_ICD_FILENAMES");
    }
    return 0;
}

static br_vk_instance *open_instance(void)
{
    br_vk_instance *instance = NULL;
    assert_status_ok(br_vk_instance_create(&(br_vk_instance_params){0}, &instance));
    return instance;
}

static void close_instance(br_vk_instance *instance)
{
    uint64_t errors = br_vk_instance_validation_errors(instance);
    br_vk_instance_destroy(instance);
    assert_int_equal(errors, 0);
}

static void capabilities_are_plausible(void **state)
{
    (void)state;
    br_vk_instance *instance = open_instance();
    assert_true(br_vk_instance_device_count(instance) > 0);
    for (int i = 0; i < br_vk_instance_device_count(instance); i++) {
        const char *reason = "";
        const br_vk_caps *caps = br_vk_instance_caps(instance, i, &reason);
        if (reason)
            continue;
        assert_true(strlen(caps->name) > 0 && strlen(caps->driver) > 0);
        assert_true(caps->api_version >= VK_API_VERSION_1_1);
        /* What Vulkan guarantees everywhere; DESIGN's minimum device. */
        assert_true(caps->max_storage_range >= UINT64_C(1) << 27);
        assert_true(caps->max_buffer_size >= UINT64_C(1) << 30);
        assert_true(caps->max_invocations >= 128 && caps->max_shared >= 16384 && caps->max_push >= 128);
        for (int d = 0; d < 3; d++)
            assert_true(caps->max_groups[d] >= 65535);
        assert_true(caps->storage_alignment >= 1 && caps->storage_alignment <= 256);
        assert_true(caps->subgroup_min >= 1 && caps->subgroup_min <= caps->subgroup_size &&
                    caps->subgroup_size <= caps->subgroup_max);
        assert_true(caps->device_local_bytes > 0 && caps->host_visible_bytes > 0);
        if (caps->type == VK_PHYSICAL_DEVICE_TYPE_CPU)
            assert_true(caps->unified_memory);
    }
    close_instance(instance);
}

/* What is known of the two devices that run the tests. */
static void known_devices(void **state)
{
    (void)state;
    br_vk_instance *instance = open_instance();
    const br_vk_caps *caps = br_vk_instance_caps(instance, 0, NULL);
    if (strstr(caps->name, "llvmpipe")) {
        assert_true(caps->f16_storage && caps->i8_storage);
        assert_true(caps->subgroup_size == 4 || caps->subgroup_size == 8 || caps->subgroup_size == 16);
    } else if (strstr(caps->name, "SwiftShader")) {
        assert_false(caps->f16_storage || caps->f16_arithmetic);
        assert_int_equal(caps->subgroup_size, 4);
    }
    close_instance(instance);
}

static void selection(void **state)
{
    (void)state;
    br_vk_instance *instance = open_instance();
    int index = -1;
    const char *name = br_vk_instance_caps(instance, 0, NULL)->name;
    char part[8] = {0};
    assert_status_ok(br_vk_instance_select(instance, NULL, &index));
    assert_int_equal(index, 0);
    index = -1;
    assert_status_ok(br_vk_instance_select(instance, "0", &index));
    assert_int_equal(index, 0);
    index = -1;
    for (size_t i = 0; i < 5; i++)
        part[i] = name[i] ^ (name[i] >= 'A' && (name[i] | 32) <= 'z' ? 32 : 0); /* the case does not matter */
    assert_status_ok(br_vk_instance_select(instance, part, &index));
    assert_int_equal(index, 0);
    index = -1;
    assert_status(br_vk_instance_select(instance, "GeForce 256", &index), BR_ERROR_NOT_FOUND,
                  "no device is called \"GeForce 256\"; devices: 0: ");
    assert_status(br_vk_instance_select(instance, "99", &index), BR_ERROR_NOT_FOUND, name);
    assert_status(br_vk_instance_select(instance, "99999999999999999999", &index), BR_ERROR_NOT_FOUND, "99999999999999999999");
    assert_status(br_vk_instance_select(instance, "", &index), BR_ERROR_NOT_FOUND, "empty");
    assert_status(br_vk_instance_select(instance, "-1", &index), BR_ERROR_NOT_FOUND, "\"-1\"");
    assert_int_equal(index, -1);
    br_vk_device *device = NULL;
    assert_status(br_vk_device_create(&(br_vk_device_params){.instance = instance, .index = 99}, &device), BR_ERROR_NOT_FOUND,
                  "99");
    assert_null(device);
    close_instance(instance);
}

/* A device that the engine cannot use is listed with the reason and never taken. */
static void unusable_devices(void **state)
{
    (void)state;
    br_vk_instance *instance = open_instance();
    br_vk_device *device = NULL;
    const char *reason = NULL;
    int index = -1;
    for (int i = 0; i < instance->device_count; i++)
        instance->devices[i].unusable = "it is made of cheese";
    br_vk_instance_caps(instance, 0, &reason);
    assert_string_equal(reason, "it is made of cheese");
    assert_status(br_vk_instance_select(instance, NULL, &index), BR_ERROR_NO_VULKAN, "(cannot be used: it is made of cheese)");
    assert_status(br_vk_instance_select(instance, "0", &index), BR_ERROR_UNSUPPORTED, "cannot be used: it is made of cheese");
    assert_int_equal(index, -1);
    assert_status(br_vk_device_create(&(br_vk_device_params){.instance = instance}, &device), BR_ERROR_UNSUPPORTED, "cheese");
    assert_null(device);
    close_instance(instance);
}

/* Both software drivers at once: chosen by name, and open side by side. */
static void two_devices(void **state)
{
    (void)state;
    const char *lavapipe = "/usr/share/vulkan/icd.d/lvp_icd.x86_64.json",
               *swiftshader = "/usr/lib/chromium/vk_swiftshader_icd.json";
    char both[256];
    if (access(lavapipe, R_OK) != 0 || access(swiftshader, R_OK) != 0) {
        print_message("skipped: needs lavapipe and SwiftShader\n");
        skip();
    }
    snprintf(both, sizeof both, "%s:%s", lavapipe, swiftshader);
    use_drivers(both);
    br_vk_instance *instance = open_instance();
    assert_int_equal(br_vk_instance_device_count(instance), 2);
    const char *names[2] = {"llvmpipe", "swiftshader"};
    br_vk_device *devices[2];
    br_vk_buffer *buffers[2];
    int index[2];
    for (int i = 0; i < 2; i++) {
        assert_status_ok(br_vk_instance_select(instance, names[i], &index[i]));
        assert_status_ok(br_vk_device_create(&(br_vk_device_params){.instance = instance, .index = index[i]}, &devices[i]));
        assert_status_ok(br_vk_buffer_create(devices[i], BR_VK_BUFFER_DEVICE, 13, names[i], &buffers[i]));
    }
    assert_int_not_equal(index[0], index[1]);
    char found[13];
    for (int i = 0; i < 2; i++)
        assert_status_ok(br_vk_upload(devices[i], buffers[i], 0, 13, i ? "swift, thirte" : "lava, thirtee"));
    for (int i = 0; i < 2; i++) {
        assert_status_ok(br_vk_download(devices[i], buffers[i], 0, 13, found));
        assert_memory_equal(found, i ? "swift, thirte" : "lava, thirtee", 13);
    }
    /* "e" is part of both names, which differ. */
    int either = -1;
    assert_status(br_vk_instance_select(instance, "e", &either), BR_ERROR_NOT_FOUND, "several devices");
    for (int i = 0; i < 2; i++) {
        br_vk_buffer_destroy(buffers[i]);
        br_vk_device_destroy(devices[i]);
    }
    close_instance(instance);
}

static void params_lower_the_limits(void **state)
{
    (void)state;
    br_vk_device_params params = {
        .max_storage_range = 4096, .max_shared = 8192, .max_invocations = 64, .max_groups = 13, .no_f16 = true};
    br_test_device *test = br_test_device_open(&params);
    assert_int_equal(test->caps->max_storage_range, 4096);
    assert_int_equal(test->caps->max_shared, 8192);
    assert_int_equal(test->caps->max_invocations, 64);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(test->caps->max_groups[i], 13);
        assert_true(test->caps->max_group_size[i] <= 64);
    }
    assert_false(test->caps->f16_storage || test->caps->f16_arithmetic);
    br_test_device_close(test);
    /* Nothing is raised. */
    params = (br_vk_device_params){.max_storage_range = UINT64_MAX, .max_shared = UINT32_MAX};
    test = br_test_device_open(&params);
    assert_true(test->caps->max_shared < UINT32_MAX && test->caps->max_storage_range < UINT64_MAX);
    br_test_device_close(test);
}

static void no_device(void **state)
{
    (void)state;
    use_drivers("/nonexistent.json");
    br_vk_instance *instance = NULL;
    int index = 0;
    br_status status = br_vk_instance_create(&(br_vk_instance_params){0}, &instance);
    if (!status) { /* some loaders give an instance that has no devices */
        assert_int_equal(br_vk_instance_device_count(instance), 0);
        status = br_vk_instance_select(instance, NULL, &index);
        br_vk_instance_destroy(instance);
    }
    assert_non_null(strstr(br_status_message(status), "VK_DRIVER_FILES"));
    assert_null(strchr(br_status_message(status), '\n'));
    assert_status(status, BR_ERROR_NO_VULKAN, "no Vulkan device found");
}

static void listen(void *user, br_log_level level, const char *message)
{
    if (level == BR_LOG_ERROR && strstr(message, "VALIDATION: VUID-VkBufferCreateInfo-size-00912"))
        ++*(int *)user;
}

/* The suite relies on this: what the layers report is counted and logged. */
static void validation_errors_are_counted(void **state)
{
    (void)state;
    int heard = 0;
    br_log log = {.write = listen, .user = &heard, .level = BR_LOG_ERROR};
    br_vk_instance *instance = NULL;
    br_vk_device *device = NULL;
    br_status status = br_vk_instance_create(&(br_vk_instance_params){.log = &log, .validation = true}, &instance);
    if (br_status_code(status) == BR_ERROR_UNSUPPORTED) {
        print_message("skipped: %s\n", br_status_message(status));
        br_status_free(status);
        skip();
    }
    assert_status_ok(status);
    assert_status_ok(br_vk_device_create(&(br_vk_device_params){.instance = instance}, &device));
    assert_int_equal(br_vk_device_counters(device)->validation_errors, 0);
    VkBuffer buffer = VK_NULL_HANDLE;
    VkBufferCreateInfo wrong = {VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO, .size = 0, .usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT};
    if (device->fn.vkCreateBuffer(device->handle, &wrong, NULL, &buffer) == VK_SUCCESS)
        device->fn.vkDestroyBuffer(device->handle, buffer, NULL);
    assert_int_equal(br_vk_device_counters(device)->validation_errors, 1);
    assert_int_equal(br_vk_instance_validation_errors(instance), 1);
    assert_int_equal(heard, 1);
    br_vk_device_destroy(device);
    br_vk_instance_destroy(instance);
}

#define NO_LOADER_ARG "--no-loader"

/* Run as a process of its own whose library path begins with a broken libvulkan. */
static int child_without_loader(void)
{
    br_vk_instance *instance = NULL;
    br_status status = br_vk_instance_create(&(br_vk_instance_params){0}, &instance);
    bool right = br_status_code(status) == BR_ERROR_NO_VULKAN &&
                 strstr(br_status_message(status), "no Vulkan loader found (libvulkan.so.1): install");
    if (!right)
        fprintf(stderr, "got: %s\n", br_status_message(status));
    br_status_free(status);
    br_vk_instance_destroy(instance);
    return right ? 0 : 1;
}

static void no_loader(void **state)
{
    (void)state;
    static const char *const names[] = {"libvulkan.so.1", "libvulkan.so"};
    char folder[] = "/tmp/brume-no-loader-XXXXXX", path[64], self[512], command[1024];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (length <= 0) {
        print_message("skipped: needs /proc/self/exe\n");
        skip();
    }
    self[length] = 0;
    assert_non_null(mkdtemp(folder));
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        fputs("this is no library; the dynamic linker says so and looks no further, as it does where there is none at all\n", file);
        fclose(file);
    }
    snprintf(command, sizeof command, "LD_LIBRARY_PATH='%s' '%s' %s", folder, self, NO_LOADER_ARG);
    int result = system(command);
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
    rmdir(folder);
    assert_int_equal(result, 0);
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], NO_LOADER_ARG))
        return child_without_loader();
    const char *files = getenv("VK_DRIVER_FILES");
    snprintf(own_driver, sizeof own_driver, "%s", files ? files : "");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(capabilities_are_plausible),
        cmocka_unit_test(known_devices),
        cmocka_unit_test(selection),
        cmocka_unit_test(unusable_devices),
        cmocka_unit_test_teardown(two_devices, restore_drivers),
        cmocka_unit_test(params_lower_the_limits),
        cmocka_unit_test_teardown(no_device, restore_drivers),
        cmocka_unit_test(validation_errors_are_counted),
        cmocka_unit_test(no_loader),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
