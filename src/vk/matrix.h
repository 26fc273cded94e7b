/* VK_KHR_cooperative_matrix: matrices that a subgroup holds together, for the units that multiply them. */
#ifndef BR_VK_MATRIX_H
#define BR_VK_MATRIX_H

#include "vk/caps.h"

#define BR_VK_MATRIX_EXTENSION "VK_KHR_cooperative_matrix"

/* Headers before 1.3.255 do not have the extension: from the specification, chapter "Cooperative Matrices". */
#ifndef VK_KHR_cooperative_matrix
#define VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_FEATURES_KHR ((VkStructureType)1000506000)

typedef struct VkPhysicalDeviceCooperativeMatrixFeaturesKHR {
    VkStructureType sType;
    void *pNext;
    VkBool32 cooperativeMatrix;
    VkBool32 cooperativeMatrixRobustBufferAccess;
} VkPhysicalDeviceCooperativeMatrixFeaturesKHR;
#endif

/* Fills caps->matrix and caps->matrix_count of a device that has the extension, and says by caps->cooperative_matrix whether the shaders can run there: one of
 * the shapes suits them, and what they need besides is there. Call it last: it looks at the other caps. */
void br_vk_matrix_query(VkPhysicalDevice handle, br_vk_caps *caps);

/* Whether the matrix units are worth using as long as nobody has measured it (PORTABILITY rule 7: the extension is no promise of speed). */
bool br_vk_matrix_believed_fast(const br_vk_caps *caps);

#endif
