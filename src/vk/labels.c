#include "vk/labels.h"

#include <string.h>

#include "base/scope.h"

static void enter(br_vk_labels *labels, const char *name)
{
    VkDebugUtilsLabelEXT label = {VK_STRUCTURE_TYPE_DEBUG_UTILS_LABEL_EXT, .pLabelName = name};
    vkCmdBeginDebugUtilsLabelEXT(labels->commands, &label);
}

/* Leaves every region after the first `keep` bytes. */
static void leave(br_vk_labels *labels, size_t keep)
{
    for (const char *at = labels->open + keep; *at; at++)
        if (*at == '/')
            vkCmdEndDebugUtilsLabelEXT(labels->commands);
    labels->open[keep] = '\0';
}

void br_vk_labels_begin(br_vk_labels *labels, const char *name)
{
    if (!labels->enabled)
        return;
    size_t length = br_scope_length(name);
    if (length >= sizeof labels->open)
        length = 0; /* an absurd name gets its label, but no regions */
    size_t common = br_scope_common(labels->open, name);
    leave(labels, common < length ? common : length);
    for (size_t begin = strlen(labels->open); begin < length;) {
        size_t part = strcspn(name + begin, "/");
        memcpy(labels->open + begin, name + begin, part);
        labels->open[begin + part] = '\0';
        enter(labels, labels->open + begin);
        labels->open[begin + part] = '/';
        labels->open[begin + part + 1] = '\0';
        begin += part + 1;
    }
    enter(labels, name);
}

void br_vk_labels_end(br_vk_labels *labels)
{
    if (labels->enabled)
        vkCmdEndDebugUtilsLabelEXT(labels->commands);
}

void br_vk_labels_close(br_vk_labels *labels)
{
    if (labels->enabled)
        leave(labels, 0);
}
