#include "vk/check.h"

#include <string.h>

const char *br_vk_result_name(VkResult result)
{
#define NAME(x) \
    case x:     \
        return #x
    switch (result) {
        NAME(VK_SUCCESS);
        NAME(VK_NOT_READY);
        NAME(VK_TIMEOUT);
        NAME(VK_INCOMPLETE);
        NAME(VK_ERROR_OUT_OF_HOST_MEMORY);
        NAME(VK_ERROR_OUT_OF_DEVICE_MEMORY);
        NAME(VK_ERROR_INITIALIZATION_FAILED);
        NAME(VK_ERROR_DEVICE_LOST);
        NAME(VK_ERROR_MEMORY_MAP_FAILED);
        NAME(VK_ERROR_LAYER_NOT_PRESENT);
        NAME(VK_ERROR_EXTENSION_NOT_PRESENT);
        NAME(VK_ERROR_FEATURE_NOT_PRESENT);
        NAME(VK_ERROR_INCOMPATIBLE_DRIVER);
        NAME(VK_ERROR_TOO_MANY_OBJECTS);
        NAME(VK_ERROR_FRAGMENTED_POOL);
        NAME(VK_ERROR_OUT_OF_POOL_MEMORY);
        NAME(VK_ERROR_FRAGMENTATION);
        NAME(VK_ERROR_INVALID_SHADER_NV);
        NAME(VK_ERROR_UNKNOWN);
    default:
        return "an unknown VkResult";
    }
#undef NAME
}

static br_code code_of(VkResult result)
{
    switch (result) {
    case VK_ERROR_OUT_OF_HOST_MEMORY:
        return BR_ERROR_OUT_OF_HOST_MEMORY;
    case VK_ERROR_OUT_OF_DEVICE_MEMORY:
    case VK_ERROR_TOO_MANY_OBJECTS:
        return BR_ERROR_OUT_OF_DEVICE_MEMORY;
    case VK_ERROR_DEVICE_LOST:
        return BR_ERROR_DEVICE_LOST;
    case VK_ERROR_INCOMPATIBLE_DRIVER:
        return BR_ERROR_NO_VULKAN;
    case VK_ERROR_LAYER_NOT_PRESENT:
    case VK_ERROR_EXTENSION_NOT_PRESENT:
    case VK_ERROR_FEATURE_NOT_PRESENT:
        return BR_ERROR_UNSUPPORTED;
    default:
        return BR_ERROR_VULKAN;
    }
}

br_status br_vk_check(VkResult result, const char *call)
{
    if (result >= 0)
        return NULL;
    /* The text is the whole expression, "device->fn.vkCreateFence(device->handle, ...)": its arguments tell a reader of the message nothing. */
    const char *paren = strchr(call, '(');
    int end = paren ? (int)(paren - call) : (int)strlen(call);
    int begin = end;
    while (begin > 0 && call[begin - 1] != '.' && call[begin - 1] != '>')
        begin--;
    return br_fail(code_of(result), "%.*s failed with %s (%d)", end - begin, call + begin, br_vk_result_name(result), (int)result);
}
