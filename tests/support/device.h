/* The device that the tests of a file share: the first usable one of the drivers that VK_DRIVER_FILES allows. Validation is on
 * whenever BRUME_VALIDATION=1 (CTest sets it), and closing the device fails when the layers said anything. */
#ifndef BR_TEST_DEVICE_H
#define BR_TEST_DEVICE_H

#include "support/test.h"
#include "vk/device.h"

typedef struct br_test_device {
    br_vk_instance *instance; /* owned */
    br_vk_device *device;     /* owned */
    const br_vk_caps *caps;   /* borrowed from device */
} br_test_device;

/* `params` may be NULL; its instance and index are filled in here. Without a loader or a device the whole process ends as skipped. */
br_test_device *br_test_device_open(const br_vk_device_params *params);
/* Fails the test when anything was reported since the instance was created. Takes NULL. */
void br_test_device_close(br_test_device *test);

/* The same device with the caps, in *caps, of a Mali since Valhall, so that ops choose its forms. */
br_test_device br_test_device_as_mali(const br_test_device *test, br_vk_caps *caps);

/* SwiftShader, which takes seconds for a step of the small model. */
bool br_test_device_is_slow(const br_test_device *test);
/* The folder, for br_test_path, of the model to show what holds for any of them: the small one, on a slow device a tiny one that has the same sizes of
 * latents and pictures. */
const char *br_test_any_model(const br_test_device *test);

/* Group fixtures: *state is a br_test_device with default params. cmocka does not count a failing group teardown, so this one ends the
 * process with 1 when the layers said anything. */
int br_test_device_setup(void **state);
int br_test_device_teardown(void **state);

#endif
