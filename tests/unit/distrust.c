/* Claims of drivers that are known to be wrong. */
#include <string.h>

#include "support/test.h"
#include "vk/caps.h"
#include "vk/vendor.h"

static br_vk_caps everything(const char *name, uint32_t vendor)
{
    br_vk_caps caps = {
        .vendor_id = vendor,
        .subgroup_arithmetic = true,
        .subgroup_shuffle = true,
        .subgroup_vote = true,
        .f16_storage = true,
        .f16_arithmetic = true,
        .integer_dot = true,
        .integer_dot_fast = true,
        .cooperative_matrix = true,
    };
    strcpy(caps.name, name);
    return caps;
}

static void wrong_claims_are_taken_back(void **state)
{
    (void)state;
    br_vk_caps caps = everything("Immortalis-G720", BR_VENDOR_ARM);
    br_vk_caps_distrust(&caps, VK_DRIVER_ID_ARM_PROPRIETARY);
    assert_false(caps.f16_storage || caps.f16_arithmetic);
    assert_false(caps.cooperative_matrix); /* those are of 16-bit floats */
    assert_non_null(strstr(caps.distrusted[0], "16-bit floats"));
    assert_null(caps.distrusted[1]);

    caps = everything("PowerVR BXS-4-64", BR_VENDOR_IMAGINATION);
    br_vk_caps_distrust(&caps, VK_DRIVER_ID_IMAGINATION_PROPRIETARY);
    assert_false(caps.integer_dot || caps.integer_dot_fast || caps.cooperative_matrix);
    assert_true(caps.f16_storage);

    caps = everything("AMD Radeon Pro 5500M", BR_VENDOR_AMD);
    br_vk_caps_distrust(&caps, VK_DRIVER_ID_MOLTENVK);
    assert_false(caps.subgroup_arithmetic || caps.subgroup_shuffle || caps.subgroup_vote);
}

static void the_others_keep_theirs(void **state)
{
    (void)state;
    const struct {
        const char *name;
        uint32_t vendor;
        VkDriverId driver;
    } devices[] = {
        {"Mali-G610", BR_VENDOR_ARM, VK_DRIVER_ID_ARM_PROPRIETARY},
        {"Mali-G720", BR_VENDOR_ARM, VK_DRIVER_ID_MESA_PANVK},
        {"AMD Radeon RX 7900 XTX", BR_VENDOR_AMD, VK_DRIVER_ID_MESA_RADV},
        {"NVIDIA GeForce RTX 3090", BR_VENDOR_NVIDIA, VK_DRIVER_ID_NVIDIA_PROPRIETARY},
        {"Apple M1", 0x106B, VK_DRIVER_ID_MOLTENVK},
    };
    for (size_t i = 0; i < sizeof devices / sizeof devices[0]; i++) {
        br_vk_caps caps = everything(devices[i].name, devices[i].vendor), before = caps;
        br_vk_caps_distrust(&caps, devices[i].driver);
        assert_memory_equal(&caps, &before, sizeof caps);
    }
}

static void a_reason_is_given_only_for_what_was_claimed(void **state)
{
    (void)state;
    br_vk_caps caps = everything("NVIDIA GeForce RTX 2080", BR_VENDOR_NVIDIA);
    caps.cooperative_matrix = false;
    br_vk_caps_distrust(&caps, VK_DRIVER_ID_NVIDIA_PROPRIETARY);
    assert_null(caps.distrusted[0]);
    caps.cooperative_matrix = true;
    br_vk_caps_distrust(&caps, VK_DRIVER_ID_NVIDIA_PROPRIETARY);
    assert_false(caps.cooperative_matrix);
    assert_non_null(caps.distrusted[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_claims_are_taken_back),
        cmocka_unit_test(the_others_keep_theirs),
        cmocka_unit_test(a_reason_is_given_only_for_what_was_claimed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
