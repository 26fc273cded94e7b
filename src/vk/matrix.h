/* VK_KHR_cooperative_matrix: matrices that a subgroup holds together, for the units that multiply them; VK_NV_cooperative_matrix2: what else can be done with
 * them in registers. */
#ifndef BR_VK_MATRIX_H
#define BR_VK_MATRIX_H

#include "vk/caps.h"

#define BR_VK_MATRIX_EXTENSION "VK_KHR_cooperative_matrix"
#define BR_VK_MATRIX_REDUCE_EXTENSION "VK_NV_cooperative_matrix2"

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

/* Headers before 1.3.299 do not have this one: from the specification, the same chapter. */
#ifndef VK_NV_cooperative_matrix2
#define VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_2_FEATURES_NV ((VkStructureType)1000593000)

typedef struct VkPhysicalDeviceCooperativeMatrix2FeaturesNV {
    VkStructureType sType;
    void *pNext;
    VkBool32 cooperativeMatrixWorkgroupScope;
    VkBool32 cooperativeMatrixFlexibleDimensions;
    VkBool32 cooperativeMatrixReductions;
    VkBool32 cooperativeMatrixConversions;
    VkBool32 cooperativeMatrixPerElementOperations;
    VkBool32 cooperativeMatrixTensorAddressing;
    VkBool32 cooperativeMatrixBlockLoads;
} VkPhysicalDeviceCooperativeMatrix2FeaturesNV;
#endif

/* Fills caps->matrix and caps->matrix_count of a device that has the extension, and says by caps->cooperative_matrix whether the shaders can run there: one of
 * the shapes suits them, and what they need besides is there. Call it last: it looks at the other caps. */
void br_vk_matrix_query(VkPhysicalDevice handle, br_vk_caps *caps);

/* Fills caps->matrix_reduce of a device that has the second extension. Call it behind br_vk_matrix_query. */
void br_vk_matrix_reduce_query(VkPhysicalDevice handle, br_vk_caps *caps);

/* Says by caps->prefer_matrix and caps->prefer_reduce what is worth using as long as nobody has measured it (PORTABILITY rule 7: an extension is no promise of
 * speed). */
void br_vk_matrix_believe(br_vk_caps *caps);

#endif
