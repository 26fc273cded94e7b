#include "vk/caps.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vk/check.h"
#include "vk/matrix.h"

/* What Vulkan guarantees where a device does not say (no VK_KHR_maintenance4): the shaders address at most 32 bits of bytes. */
#define DEFAULT_MAX_BUFFER_SIZE (UINT64_C(1) << 32)

/* Some drivers say UINT64_MAX; with this, sizes can be rounded up without overflow. */
#define BUFFER_SIZE_CEILING (UINT64_C(1) << 48)

/* Its name is only declared with VK_ENABLE_BETA_EXTENSIONS. */
#define PORTABILITY_SUBSET "VK_KHR_portability_subset"
/* Newer than the headers that Brume builds with. */
#define CALIBRATED_TIMESTAMPS "VK_KHR_calibrated_timestamps"

typedef struct extension_list {
    VkExtensionProperties *items; /* owned */
    uint32_t count;
} extension_list;

static br_status extension_list_init(extension_list *list, VkPhysicalDevice handle)
{
    BR_TRY(BR_VK(vkEnumerateDeviceExtensionProperties(handle, NULL, &list->count, NULL)));
    list->items = calloc(list->count + 1, sizeof *list->items);
    if (!list->items)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory");
    return BR_VK(vkEnumerateDeviceExtensionProperties(handle, NULL, &list->count, list->items));
}

static bool has(const extension_list *list, const char *name)
{
    for (uint32_t i = 0; i < list->count; i++)
        if (!strcmp(list->items[i].extensionName, name))
            return true;
    return false;
}

/* Puts the structure in front of the chain when `wanted`. */
#define CHAIN(head, wanted, structure)  \
    do {                                \
        if (wanted) {                   \
            (structure).pNext = (head); \
            (head) = &(structure);      \
        }                               \
    } while (0)

static void query_limits(br_vk_caps *caps, const VkPhysicalDeviceProperties *properties)
{
    const VkPhysicalDeviceLimits *limits = &properties->limits;
    snprintf(caps->name, sizeof caps->name, "%s", properties->deviceName);
    caps->vendor_id = properties->vendorID;
    caps->device_id = properties->deviceID;
    caps->api_version = properties->apiVersion;
    caps->driver_version = properties->driverVersion;
    caps->type = properties->deviceType;
    memcpy(caps->cache_uuid, properties->pipelineCacheUUID, sizeof caps->cache_uuid);
    caps->max_storage_range = limits->maxStorageBufferRange;
    caps->max_buffer_size = DEFAULT_MAX_BUFFER_SIZE;
    for (int i = 0; i < 3; i++) {
        caps->max_groups[i] = limits->maxComputeWorkGroupCount[i];
        caps->max_group_size[i] = limits->maxComputeWorkGroupSize[i];
    }
    caps->max_invocations = limits->maxComputeWorkGroupInvocations;
    caps->max_shared = limits->maxComputeSharedMemorySize;
    caps->max_push = limits->maxPushConstantsSize;
    caps->max_storage_buffers = limits->maxPerStageDescriptorStorageBuffers;
    if (limits->maxDescriptorSetStorageBuffers < caps->max_storage_buffers)
        caps->max_storage_buffers = limits->maxDescriptorSetStorageBuffers;
    caps->max_allocations = limits->maxMemoryAllocationCount;
    caps->storage_alignment = limits->minStorageBufferOffsetAlignment;
    caps->atom_size = limits->nonCoherentAtomSize;
    caps->timestamp_period = limits->timestampPeriod;
}

static void query_properties(br_vk_physical *physical, const extension_list *extensions)
{
    br_vk_caps *caps = &physical->caps;
    bool v12 = caps->api_version >= VK_API_VERSION_1_2, v13 = caps->api_version >= VK_API_VERSION_1_3;
    bool size_control = v13 || has(extensions, VK_EXT_SUBGROUP_SIZE_CONTROL_EXTENSION_NAME);
    bool maintenance4 = v13 || has(extensions, VK_KHR_MAINTENANCE_4_EXTENSION_NAME);
    bool dot = v13 || has(extensions, VK_KHR_SHADER_INTEGER_DOT_PRODUCT_EXTENSION_NAME);
    bool driver_properties = v12 || has(extensions, VK_KHR_DRIVER_PROPERTIES_EXTENSION_NAME);
    VkPhysicalDeviceIDProperties id = {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ID_PROPERTIES};
    VkPhysicalDeviceSubgroupProperties subgroup = {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_PROPERTIES};
    VkPhysicalDeviceMaintenance3Properties m3 = {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_3_PROPERTIES};
    VkPhysicalDeviceMaintenance4Properties m4 = {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_4_PROPERTIES};
    VkPhysicalDeviceDriverProperties driver = {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES};
    VkPhysicalDeviceSubgroupSizeControlProperties control = {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_PROPERTIES};
    VkPhysicalDeviceShaderIntegerDotProductProperties dots = {
        VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_INTEGER_DOT_PRODUCT_PROPERTIES};
    void *chain = NULL;
    CHAIN(chain, true, id);
    CHAIN(chain, true, subgroup);
    CHAIN(chain, true, m3);
    CHAIN(chain, maintenance4, m4);
    CHAIN(chain, driver_properties, driver);
    CHAIN(chain, size_control, control);
    CHAIN(chain, dot, dots);
    VkPhysicalDeviceProperties2 properties = {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2, chain};
    vkGetPhysicalDeviceProperties2(physical->handle, &properties);

    memcpy(caps->device_uuid, id.deviceUUID, sizeof caps->device_uuid);
    memcpy(caps->driver_uuid, id.driverUUID, sizeof caps->driver_uuid);
    if (driver_properties) {
        snprintf(caps->driver, sizeof caps->driver, "%s", driver.driverName);
        snprintf(caps->driver_info, sizeof caps->driver_info, "%s", driver.driverInfo);
        physical->driver_id = driver.driverID;
    }
    caps->max_buffer_size = maintenance4 ? m4.maxBufferSize : DEFAULT_MAX_BUFFER_SIZE;
    if (m3.maxMemoryAllocationSize < caps->max_buffer_size)
        caps->max_buffer_size = m3.maxMemoryAllocationSize;
    if (caps->max_buffer_size > BUFFER_SIZE_CEILING)
        caps->max_buffer_size = BUFFER_SIZE_CEILING;
    caps->integer_dot_fast = dots.integerDotProduct4x8BitPackedSignedAccelerated;
    caps->subgroup_size = caps->subgroup_min = caps->subgroup_max = subgroup.subgroupSize;
    bool in_compute = subgroup.supportedStages & VK_SHADER_STAGE_COMPUTE_BIT;
    caps->subgroup_arithmetic = in_compute && (subgroup.supportedOperations & VK_SUBGROUP_FEATURE_ARITHMETIC_BIT);
    caps->subgroup_shuffle = in_compute && (subgroup.supportedOperations & VK_SUBGROUP_FEATURE_SHUFFLE_BIT);
    caps->subgroup_vote = in_compute && (subgroup.supportedOperations & VK_SUBGROUP_FEATURE_VOTE_BIT);
    if (size_control) {
        caps->subgroup_min = control.minSubgroupSize;
        caps->subgroup_max = control.maxSubgroupSize;
        caps->subgroup_size_control = control.requiredSubgroupSizeStages & VK_SHADER_STAGE_COMPUTE_BIT;
        physical->ext_subgroup_size_control = !v13;
    }
}

static void query_features(br_vk_physical *physical, const extension_list *extensions)
{
    br_vk_caps *caps = &physical->caps;
    bool v12 = caps->api_version >= VK_API_VERSION_1_2, v13 = caps->api_version >= VK_API_VERSION_1_3;
    bool f16_i8 = v12 || has(extensions, VK_KHR_SHADER_FLOAT16_INT8_EXTENSION_NAME);
    bool storage8 = v12 || has(extensions, VK_KHR_8BIT_STORAGE_EXTENSION_NAME);
    bool dot = v13 || has(extensions, VK_KHR_SHADER_INTEGER_DOT_PRODUCT_EXTENSION_NAME);
    bool control = v13 || has(extensions, VK_EXT_SUBGROUP_SIZE_CONTROL_EXTENSION_NAME);
    VkPhysicalDevice16BitStorageFeatures storage16_features = {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_16BIT_STORAGE_FEATURES};
    VkPhysicalDeviceShaderFloat16Int8Features f16_i8_features = {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_FLOAT16_INT8_FEATURES};
    VkPhysicalDevice8BitStorageFeatures storage8_features = {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_8BIT_STORAGE_FEATURES};
    VkPhysicalDeviceShaderIntegerDotProductFeatures dot_features = {
        VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_INTEGER_DOT_PRODUCT_FEATURES};
    VkPhysicalDeviceSubgroupSizeControlFeatures control_features = {
        VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_FEATURES};
    void *chain = NULL;
    CHAIN(chain, true, storage16_features);
    CHAIN(chain, f16_i8, f16_i8_features);
    CHAIN(chain, storage8, storage8_features);
    CHAIN(chain, dot, dot_features);
    CHAIN(chain, control, control_features);
    VkPhysicalDeviceFeatures2 features = {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2, chain};
    vkGetPhysicalDeviceFeatures2(physical->handle, &features);

    caps->f16_storage = storage16_features.storageBuffer16BitAccess;
    caps->f16_arithmetic = f16_i8_features.shaderFloat16;
    caps->i8_arithmetic = f16_i8_features.shaderInt8;
    caps->i8_storage = storage8_features.storageBuffer8BitAccess;
    caps->integer_dot = dot_features.shaderIntegerDotProduct;
    caps->integer_dot_fast = caps->integer_dot_fast && caps->integer_dot;
    caps->subgroup_size_control =
        caps->subgroup_size_control && control_features.subgroupSizeControl && control_features.computeFullSubgroups;
    /* The extension requires its feature (Vulkan specification, "Feature Requirements"), so there is no need to ask with a structure that an
     * older validation layer takes for an error. */
    if (has(extensions, BR_VK_MATRIX_EXTENSION))
        br_vk_matrix_query(physical->handle, caps);
    if (has(extensions, BR_VK_MATRIX_REDUCE_EXTENSION))
        br_vk_matrix_reduce_query(physical->handle, caps);
    caps->performance_query = has(extensions, VK_KHR_PERFORMANCE_QUERY_EXTENSION_NAME);
    caps->executable_properties = has(extensions, VK_KHR_PIPELINE_EXECUTABLE_PROPERTIES_EXTENSION_NAME);
    physical->ext_calibrated_timestamps = has(extensions, CALIBRATED_TIMESTAMPS) ? CALIBRATED_TIMESTAMPS
                                          : has(extensions, VK_EXT_CALIBRATED_TIMESTAMPS_EXTENSION_NAME)
                                              ? VK_EXT_CALIBRATED_TIMESTAMPS_EXTENSION_NAME
                                              : NULL;
    physical->ext_portability_subset = has(extensions, PORTABILITY_SUBSET);
    physical->ext_f16_i8 = f16_i8 && !v12;
    physical->ext_8bit_storage = storage8 && !v12;
    physical->ext_integer_dot = caps->integer_dot && !v13;
}

/* A queue family for compute alone runs beside the desktop's work (RADV); any family with compute will do. False when there is none. */
static bool query_queue(br_vk_physical *physical)
{
    uint32_t count = 0;
    vkGetPhysicalDeviceQueueFamilyProperties(physical->handle, &count, NULL);
    VkQueueFamilyProperties families[16];
    if (count > sizeof families / sizeof families[0])
        count = sizeof families / sizeof families[0];
    vkGetPhysicalDeviceQueueFamilyProperties(physical->handle, &count, families);
    int best = -1;
    for (uint32_t i = 0; i < count; i++) {
        if (!(families[i].queueFlags & VK_QUEUE_COMPUTE_BIT) || families[i].queueCount == 0)
            continue;
        bool alone = !(families[i].queueFlags & VK_QUEUE_GRAPHICS_BIT) && families[i].timestampValidBits > 0;
        if (best < 0 || (alone && (families[best].queueFlags & VK_QUEUE_GRAPHICS_BIT)))
            best = (int)i;
    }
    if (best < 0)
        return false;
    physical->queue_family = (uint32_t)best;
    physical->caps.timestamp_bits = families[best].timestampValidBits;
    physical->caps.side_queue = families[best].queueCount > 1;
    return true;
}

static void query_memory(br_vk_physical *physical)
{
    const VkMemoryPropertyFlags direct =
        VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT | VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
    br_vk_caps *caps = &physical->caps;
    VkPhysicalDeviceMemoryProperties *memory = &physical->memory;
    vkGetPhysicalDeviceMemoryProperties(physical->handle, memory);
    bool direct_type = false;
    for (uint32_t i = 0; i < memory->memoryTypeCount; i++) {
        VkMemoryPropertyFlags flags = memory->memoryTypes[i].propertyFlags;
        uint64_t size = memory->memoryHeaps[memory->memoryTypes[i].heapIndex].size;
        if ((flags & VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT) && size > caps->device_local_bytes)
            caps->device_local_bytes = size;
        if ((flags & VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT) && size > caps->host_visible_bytes)
            caps->host_visible_bytes = size;
        if ((flags & direct) == direct)
            direct_type = true;
    }
    /* A discrete GPU may show all of its memory to the host (resizable BAR), but the host reads it over the bus: not unified. */
    caps->unified_memory =
        direct_type && (caps->type == VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU || caps->type == VK_PHYSICAL_DEVICE_TYPE_CPU);
    for (uint32_t i = 0; i < memory->memoryTypeCount; i++)
        if ((memory->memoryTypes[i].propertyFlags & direct) == direct &&
            memory->memoryHeaps[memory->memoryTypes[i].heapIndex].size == caps->device_local_bytes)
            physical->resizable_bar = !caps->unified_memory;
}

br_status br_vk_physical_query(VkPhysicalDevice handle, br_vk_physical *out_physical)
{
    br_status status = NULL;
    extension_list extensions = {0};
    *out_physical = (br_vk_physical){.handle = handle};
    br_vk_caps *caps = &out_physical->caps;
    VkPhysicalDeviceProperties properties;
    vkGetPhysicalDeviceProperties(handle, &properties);
    query_limits(caps, &properties);
    query_memory(out_physical);
    bool compute = query_queue(out_physical);
    if (properties.apiVersion < VK_API_VERSION_1_1) {
        out_physical->unusable = "its driver is older than Vulkan 1.1";
        return NULL;
    }
    BR_TRY_GOTO(extension_list_init(&extensions, handle));
    query_properties(out_physical, &extensions);
    query_features(out_physical, &extensions);
    br_vk_caps_distrust(caps, out_physical->driver_id);
    br_vk_matrix_believe(caps);
    if (!compute)
        out_physical->unusable = "it has no queue for compute";
    else if (caps->max_storage_buffers < 6)
        out_physical->unusable = "it binds fewer than 6 storage buffers a stage";
    else if (caps->max_push < 128)
        out_physical->unusable = "it has fewer than 128 bytes of push constants";
fail:
    free(extensions.items);
    return status;
}
