#include "vk/matrix.h"

#include "vk/vendor.h"

/* As in matrix.h. */
#ifndef VK_KHR_cooperative_matrix
#define VK_STRUCTURE_TYPE_COOPERATIVE_MATRIX_PROPERTIES_KHR ((VkStructureType)1000506001)
#define VK_COMPONENT_TYPE_FLOAT16_KHR 0
#define VK_COMPONENT_TYPE_FLOAT32_KHR 1
#define VK_SCOPE_SUBGROUP_KHR 3

typedef struct VkCooperativeMatrixPropertiesKHR {
    VkStructureType sType;
    void *pNext;
    uint32_t MSize, NSize, KSize;
    int AType, BType, CType, ResultType; /* VkComponentTypeKHR */
    VkBool32 saturatingAccumulation;
    int scope; /* VkScopeKHR */
} VkCooperativeMatrixPropertiesKHR;

typedef VkResult(VKAPI_PTR *PFN_vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR)(VkPhysicalDevice, uint32_t *,
                                                                                   VkCooperativeMatrixPropertiesKHR *);
#endif

/* Devices list a shape for every combination of types: up to some forty. */
#define PROPERTIES_MAX 64

static bool suits(const VkCooperativeMatrixPropertiesKHR *properties)
{
    return properties->AType == VK_COMPONENT_TYPE_FLOAT16_KHR && properties->BType == VK_COMPONENT_TYPE_FLOAT16_KHR &&
           properties->CType == VK_COMPONENT_TYPE_FLOAT32_KHR && properties->ResultType == VK_COMPONENT_TYPE_FLOAT32_KHR &&
           properties->scope == VK_SCOPE_SUBGROUP_KHR && properties->MSize % 4 == 0 && properties->NSize % 4 == 0 &&
           properties->KSize % 4 == 0 && properties->MSize <= BR_VK_MATRIX_SIDE_MAX && properties->NSize <= BR_VK_MATRIX_SIDE_MAX &&
           properties->KSize <= BR_VK_MATRIX_SIDE_MAX;
}

static void query_shapes(VkPhysicalDevice handle, br_vk_caps *caps)
{
    PFN_vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR get =
        (PFN_vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR)vkGetInstanceProcAddr(
            volkGetLoadedInstance(), "vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR");
    VkCooperativeMatrixPropertiesKHR properties[PROPERTIES_MAX];
    uint32_t count = PROPERTIES_MAX;
    for (uint32_t i = 0; i < count; i++)
        properties[i] = (VkCooperativeMatrixPropertiesKHR){.sType = VK_STRUCTURE_TYPE_COOPERATIVE_MATRIX_PROPERTIES_KHR};
    if (!get || get(handle, &count, properties) < 0) /* VK_INCOMPLETE is fine */
        return;
    for (uint32_t i = 0; i < count && caps->matrix_count < BR_VK_MATRIX_SHAPES; i++)
        if (suits(&properties[i]))
            caps->matrix[caps->matrix_count++] =
                (br_vk_matrix_shape){properties[i].MSize, properties[i].NSize, properties[i].KSize};
}

void br_vk_matrix_query(VkPhysicalDevice handle, br_vk_caps *caps)
{
    /* SPIR-V's matrices come with the Vulkan memory model, which is in the core since 1.2. */
    VkPhysicalDeviceVulkanMemoryModelFeatures model = {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_MEMORY_MODEL_FEATURES};
    if (caps->api_version >= VK_API_VERSION_1_2) {
        VkPhysicalDeviceFeatures2 features = {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2, &model};
        vkGetPhysicalDeviceFeatures2(handle, &features);
    }
    /* NVK has one size of subgroups and no control over it. */
    bool subgroups = caps->subgroup_size_control || caps->subgroup_min == caps->subgroup_max;
    if (model.vulkanMemoryModel && caps->f16_storage && caps->f16_arithmetic && subgroups)
        query_shapes(handle, caps);
    caps->cooperative_matrix = caps->matrix_count > 0;
}

void br_vk_matrix_reduce_query(VkPhysicalDevice handle, br_vk_caps *caps)
{
    /* The extension's SPIR-V is of version 1.6, where a workgroup's size is specialized as VK_KHR_maintenance4 has it; Vulkan 1.3 has both. */
    if (!caps->cooperative_matrix || caps->api_version < VK_API_VERSION_1_3)
        return;
    VkPhysicalDeviceCooperativeMatrix2FeaturesNV matrix = {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_2_FEATURES_NV};
    VkPhysicalDeviceFeatures2 features = {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2, &matrix};
    vkGetPhysicalDeviceFeatures2(handle, &features);
    caps->matrix_reduce =
        matrix.cooperativeMatrixReductions && matrix.cooperativeMatrixConversions && matrix.cooperativeMatrixPerElementOperations;
}

void br_vk_matrix_believe(br_vk_caps *caps)
{
    caps->prefer_matrix = caps->cooperative_matrix && (caps->vendor_id == BR_VENDOR_AMD || caps->vendor_id == BR_VENDOR_NVIDIA);
    /* NVIDIA's units take sums as factors as they lie in registers; RADV, which has the extension on demand, moves them between lanes (docs/performance.md). */
    caps->prefer_reduce = caps->matrix_reduce && caps->vendor_id == BR_VENDOR_NVIDIA;
}
