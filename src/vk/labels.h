/* Debug labels in a command buffer, nested as the dispatches' names are: RenderDoc and its like show "unet/down.1/attn.0/to_q" inside "attn.0" inside
 * "down.1" inside "unet". For the recorder. */
#ifndef BR_VK_LABELS_H
#define BR_VK_LABELS_H

#include <stdbool.h>

#include <volk.h>

typedef struct br_vk_labels {
    bool enabled;             /* without VK_EXT_debug_utils nothing is recorded */
    VkCommandBuffer commands; /* borrowed */
    char open[512];           /* the regions that are open: "unet/down.1/" */
} br_vk_labels;

/* Leaves the regions that `name` is not in, enters those that it is in, and opens its own label. */
void br_vk_labels_begin(br_vk_labels *labels, const char *name);
/* Closes the label that begin opened; the regions stay open for the next one. */
void br_vk_labels_end(br_vk_labels *labels);
/* Leaves all regions: command buffers are balanced each for itself. */
void br_vk_labels_close(br_vk_labels *labels);

#endif
