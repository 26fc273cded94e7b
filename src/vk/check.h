/* From VkResult to br_status. */
#ifndef BR_VK_CHECK_H
#define BR_VK_CHECK_H

#include <volk.h>

#include "base/status.h"

/* Every VkResult passes through here: BR_TRY(BR_VK(vkCall(...))). Success codes (VK_INCOMPLETE, VK_TIMEOUT among them) give NULL; an
 * error names the call and the result. */
#define BR_VK(call) br_vk_check((call), #call)

BR_MUST_CHECK br_status br_vk_check(VkResult result, const char *call);
/* "VK_ERROR_DEVICE_LOST"; never NULL. */
const char *br_vk_result_name(VkResult result);

#endif
