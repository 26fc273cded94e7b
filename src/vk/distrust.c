/* Drivers that claim what they do not do right. Each rule cites where it was seen. */
#include <string.h>

#include "vk/caps.h"
#include "vk/vendor.h"

typedef enum distrust_what {
    DISTRUST_F16 = 1,
    DISTRUST_MATRIX = 2,
    DISTRUST_DOT = 4,
    DISTRUST_SUBGROUP = 8,
} distrust_what;

typedef struct distrust_rule {
    uint32_t vendor;      /* 0: any */
    VkDriverId driver;    /* 0: any */
    const char *names[5]; /* parts of the device's name, one of which must occur; none: any name */
    unsigned what;        /* distrust_what */
    const char *reason;
} distrust_rule;

static const distrust_rule rules[] = {
    /* Tencent/ncnn#6818. ncnn distrusts all Mali below Vulkan 1.0.82 as well; those are refused here, 1.1 being the minimum. */
    {BR_VENDOR_ARM,
     VK_DRIVER_ID_ARM_PROPRIETARY,
     {"G720", "G925"},
     DISTRUST_F16,
     "16-bit floats: wrong results on this Mali's driver"},
    /* ggml-org/llama.cpp#28502 */
    {BR_VENDOR_IMAGINATION,
     0,
     {NULL},
     DISTRUST_MATRIX | DISTRUST_DOT,
     "cooperative matrix and integer dot product: wrong results on PowerVR drivers"},
    /* ggml-org/llama.cpp#19290 */
    {BR_VENDOR_NVIDIA,
     VK_DRIVER_ID_NVIDIA_PROPRIETARY,
     {"RTX 20", "GTX 16", "Quadro RTX", "TITAN RTX", "Tesla T4"},
     DISTRUST_MATRIX,
     "cooperative matrix: miscompiled on Turing"},
    /* ggml-org/llama.cpp#15846 */
    {0, VK_DRIVER_ID_MOLTENVK, {"AMD", "Radeon"}, DISTRUST_SUBGROUP, "subgroup operations: broken in MoltenVK on AMD"},
};

static bool matches(const distrust_rule *rule, const br_vk_caps *caps, VkDriverId driver)
{
    if ((rule->vendor && rule->vendor != caps->vendor_id) || (rule->driver && rule->driver != driver))
        return false;
    if (!rule->names[0])
        return true;
    for (size_t i = 0; i < sizeof rule->names / sizeof rule->names[0] && rule->names[i]; i++)
        if (strstr(caps->name, rule->names[i]))
            return true;
    return false;
}

void br_vk_caps_distrust(br_vk_caps *caps, VkDriverId driver)
{
    size_t count = 0;
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        const distrust_rule *rule = &rules[i];
        bool claimed =
            ((rule->what & DISTRUST_F16) && (caps->f16_storage || caps->f16_arithmetic)) ||
            ((rule->what & DISTRUST_MATRIX) && caps->cooperative_matrix) || ((rule->what & DISTRUST_DOT) && caps->integer_dot) ||
            ((rule->what & DISTRUST_SUBGROUP) && (caps->subgroup_arithmetic || caps->subgroup_shuffle || caps->subgroup_vote));
        if (!claimed || !matches(rule, caps, driver))
            continue;
        if (rule->what & DISTRUST_F16)
            caps->f16_storage = caps->f16_arithmetic = caps->cooperative_matrix = false;
        if (rule->what & DISTRUST_MATRIX)
            caps->cooperative_matrix = false;
        if (rule->what & DISTRUST_DOT)
            caps->integer_dot = caps->integer_dot_fast = false;
        if (rule->what & DISTRUST_SUBGROUP)
            caps->subgroup_arithmetic = caps->subgroup_shuffle = caps->subgroup_vote = false;
        if (count < sizeof caps->distrusted / sizeof caps->distrusted[0])
            caps->distrusted[count++] = rule->reason;
    }
}
