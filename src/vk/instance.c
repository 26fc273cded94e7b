#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vk/handles.h"

#define VALIDATION_LAYER "VK_LAYER_KHRONOS_validation"
#define API_MIN VK_API_VERSION_1_1
#define API_WANTED VK_API_VERSION_1_3
#define NO_DEVICE_ADVICE                                                                                                 \
    "install a driver (mesa-vulkan-drivers has one for every CPU) and check that VK_DRIVER_FILES, VK_ICD_FILENAMES and " \
    "VK_LOADER_DRIVERS_SELECT, where they are set, name one"
/* Room for the list of devices in a message. */
#define LIST_MAX 1024

static VkBool32 VKAPI_PTR on_message(VkDebugUtilsMessageSeverityFlagBitsEXT severity, VkDebugUtilsMessageTypeFlagsEXT types,
                                     const VkDebugUtilsMessengerCallbackDataEXT *data, void *user)
{
    br_vk_instance *instance = user;
    const char *id = data->pMessageIdName ? data->pMessageIdName : "";
    bool error = severity & VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT;
    if (!(types & VK_DEBUG_UTILS_MESSAGE_TYPE_VALIDATION_BIT_EXT)) { /* the loader's and the driver's own */
        br_log_printf(instance->log, BR_LOG_DEBUG, "Vulkan: %s", data->pMessage);
        return VK_FALSE;
    }
    if (error || !strncmp(id, "SYNC-", 5))
        atomic_fetch_add(&instance->validation_errors, 1);
    if (instance->log)
        br_log_printf(instance->log, error ? BR_LOG_ERROR : BR_LOG_WARNING, "VALIDATION: %s: %s", id, data->pMessage);
    else
        fprintf(stderr, "VALIDATION: %s: %s\n", id, data->pMessage);
    return VK_FALSE;
}

static bool has_extension(const char *layer, const char *name)
{
    uint32_t count = 0;
    if (vkEnumerateInstanceExtensionProperties(layer, &count, NULL) < 0 || count == 0)
        return false;
    VkExtensionProperties *list = calloc(count, sizeof *list);
    bool found = false;
    if (list && vkEnumerateInstanceExtensionProperties(layer, &count, list) >= 0)
        for (uint32_t i = 0; i < count && !found; i++)
            found = !strcmp(list[i].extensionName, name);
    free(list);
    return found;
}

static bool has_layer(const char *name)
{
    uint32_t count = 0;
    if (vkEnumerateInstanceLayerProperties(&count, NULL) < 0 || count == 0)
        return false;
    VkLayerProperties *list = calloc(count, sizeof *list);
    bool found = false;
    if (list && vkEnumerateInstanceLayerProperties(&count, list) >= 0)
        for (uint32_t i = 0; i < count && !found; i++)
            found = !strcmp(list[i].layerName, name);
    free(list);
    return found;
}

static br_status create_handle(br_vk_instance *instance, uint32_t api_version)
{
    const char *extensions[4];
    uint32_t extension_count = 0;
    const char *layer = VALIDATION_LAYER;
    instance->debug_utils = has_extension(NULL, VK_EXT_DEBUG_UTILS_EXTENSION_NAME) ||
                            (instance->validation && has_extension(layer, VK_EXT_DEBUG_UTILS_EXTENSION_NAME));
    if (instance->debug_utils)
        extensions[extension_count++] = VK_EXT_DEBUG_UTILS_EXTENSION_NAME;
    VkInstanceCreateFlags flags = 0;
    if (has_extension(NULL, VK_KHR_PORTABILITY_ENUMERATION_EXTENSION_NAME)) { /* MoltenVK is hidden without it */
        extensions[extension_count++] = VK_KHR_PORTABILITY_ENUMERATION_EXTENSION_NAME;
        flags |= VK_INSTANCE_CREATE_ENUMERATE_PORTABILITY_BIT_KHR;
    }
    VkDebugUtilsMessengerCreateInfoEXT messenger = {
        VK_STRUCTURE_TYPE_DEBUG_UTILS_MESSENGER_CREATE_INFO_EXT,
        .messageSeverity = VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT | VK_DEBUG_UTILS_MESSAGE_SEVERITY_WARNING_BIT_EXT,
        .messageType = VK_DEBUG_UTILS_MESSAGE_TYPE_GENERAL_BIT_EXT | VK_DEBUG_UTILS_MESSAGE_TYPE_VALIDATION_BIT_EXT,
        .pfnUserCallback = on_message,
        .pUserData = instance,
    };
    const VkValidationFeatureEnableEXT enables[] = {VK_VALIDATION_FEATURE_ENABLE_SYNCHRONIZATION_VALIDATION_EXT};
    VkValidationFeaturesEXT features = {
        VK_STRUCTURE_TYPE_VALIDATION_FEATURES_EXT,
        .pNext = &messenger, /* hears what is said while the instance is created and destroyed */
        .enabledValidationFeatureCount = 1,
        .pEnabledValidationFeatures = enables,
    };
    if (instance->validation) {
        if (!has_layer(layer))
            return br_fail(BR_ERROR_UNSUPPORTED,
                           "validation was asked for, but the layer %s is not installed (vulkan-validationlayers)", layer);
        if (!instance->debug_utils || !has_extension(layer, VK_EXT_VALIDATION_FEATURES_EXTENSION_NAME))
            return br_fail(BR_ERROR_UNSUPPORTED, "validation was asked for, but %s lacks %s or %s", layer,
                           VK_EXT_DEBUG_UTILS_EXTENSION_NAME, VK_EXT_VALIDATION_FEATURES_EXTENSION_NAME);
        extensions[extension_count++] = VK_EXT_VALIDATION_FEATURES_EXTENSION_NAME;
    }
    VkApplicationInfo application = {VK_STRUCTURE_TYPE_APPLICATION_INFO, .pApplicationName = "brume", .pEngineName = "brume",
                                     .apiVersion = api_version};
    VkInstanceCreateInfo info = {
        VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
        .pNext = instance->validation ? &features : NULL,
        .flags = flags,
        .pApplicationInfo = &application,
        .enabledLayerCount = instance->validation ? 1 : 0,
        .ppEnabledLayerNames = &layer,
        .enabledExtensionCount = extension_count,
        .ppEnabledExtensionNames = extensions,
    };
    VkResult result = vkCreateInstance(&info, NULL, &instance->handle);
    if (result == VK_ERROR_INCOMPATIBLE_DRIVER)
        return br_fail(BR_ERROR_NO_VULKAN, "no Vulkan device found: " NO_DEVICE_ADVICE);
    BR_TRY(BR_VK(result));
    volkLoadInstanceOnly(instance->handle);
    if (instance->validation)
        BR_TRY(BR_VK(vkCreateDebugUtilsMessengerEXT(instance->handle, &messenger, NULL, &instance->messenger)));
    return NULL;
}

/* Place of a kind of device in the list. */
static int rank(VkPhysicalDeviceType type)
{
    switch (type) {
    case VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU:
        return 0;
    case VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU:
        return 1;
    case VK_PHYSICAL_DEVICE_TYPE_VIRTUAL_GPU:
        return 2;
    case VK_PHYSICAL_DEVICE_TYPE_CPU:
        return 3;
    default:
        return 4;
    }
}

static br_status find_devices(br_vk_instance *instance)
{
    br_status status = NULL;
    uint32_t count = 0;
    VkPhysicalDevice *handles = NULL;
    VkResult result = vkEnumeratePhysicalDevices(instance->handle, &count, NULL);
    if (result == VK_ERROR_INITIALIZATION_FAILED || result == VK_ERROR_INCOMPATIBLE_DRIVER || (result >= 0 && count == 0))
        return NULL; /* no device: an empty list, which br_vk_instance_select explains */
    BR_TRY_GOTO(BR_VK(result));
    handles = calloc(count, sizeof *handles);
    instance->devices = calloc(count, sizeof *instance->devices);
    if (!handles || !instance->devices)
        BR_FAIL_GOTO(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory");
    BR_TRY_GOTO(BR_VK(vkEnumeratePhysicalDevices(instance->handle, &count, handles)));
    for (uint32_t i = 0; i < count; i++) {
        br_vk_physical physical;
        BR_TRY_GOTO(br_vk_physical_query(handles[i], &physical));
        int at = instance->device_count++;
        for (; at > 0 && rank(instance->devices[at - 1].caps.type) > rank(physical.caps.type); at--)
            instance->devices[at] = instance->devices[at - 1];
        instance->devices[at] = physical;
    }
fail:
    free(handles);
    return status;
}

br_status br_vk_instance_create(const br_vk_instance_params *params, br_vk_instance **out_instance)
{
    br_status status = NULL;
    const char *env = getenv("BRUME_VALIDATION");
    *out_instance = NULL;
    br_vk_instance *instance = calloc(1, sizeof *instance);
    if (!instance)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory");
    instance->log = params->log;
    instance->validation = params->validation || (env && !strcmp(env, "1"));
    if (volkInitialize() != VK_SUCCESS)
        BR_FAIL_GOTO(
            BR_ERROR_NO_VULKAN,
            "no Vulkan loader found (libvulkan.so.1): install libvulkan1 (Debian), vulkan-loader (Fedora) or the GPU's driver");
    uint32_t loader_version = volkGetInstanceVersion();
    if (loader_version < API_MIN)
        BR_FAIL_GOTO(BR_ERROR_NO_VULKAN, "the Vulkan loader has version %u.%u, 1.1 or later is needed",
                     VK_API_VERSION_MAJOR(loader_version), VK_API_VERSION_MINOR(loader_version));
    BR_TRY_GOTO(create_handle(instance, loader_version < API_WANTED ? loader_version : API_WANTED));
    BR_TRY_GOTO(find_devices(instance));
    *out_instance = instance;
    return NULL;
fail:
    br_vk_instance_destroy(instance);
    return status;
}

void br_vk_instance_destroy(br_vk_instance *instance)
{
    if (!instance)
        return;
    if (instance->messenger)
        vkDestroyDebugUtilsMessengerEXT(instance->handle, instance->messenger, NULL);
    if (instance->handle)
        vkDestroyInstance(instance->handle, NULL);
    free(instance->devices);
    free(instance);
}

uint64_t br_vk_instance_validation_errors(const br_vk_instance *instance)
{
    return atomic_load(&instance->validation_errors);
}

int br_vk_instance_device_count(const br_vk_instance *instance)
{
    return instance->device_count;
}

const br_vk_caps *br_vk_instance_caps(const br_vk_instance *instance, int index, const char **out_reason)
{
    const br_vk_physical *physical = &instance->devices[index];
    if (out_reason)
        *out_reason = physical->unusable;
    return &physical->caps;
}

static bool contains(const char *text, const char *part)
{
    size_t length = strlen(part);
    for (; *text; text++) {
        size_t i = 0;
        while (i < length && tolower((unsigned char)text[i]) == tolower((unsigned char)part[i]))
            i++;
        if (i == length)
            return true;
    }
    return false;
}

/* "0: NAME, 1: NAME (cannot be used: REASON)" */
static void list_devices(const br_vk_instance *instance, char *out_text, size_t size)
{
    size_t length = 0;
    out_text[0] = 0;
    for (int i = 0; i < instance->device_count && length < size; i++) {
        const br_vk_physical *physical = &instance->devices[i];
        int n = snprintf(out_text + length, size - length, "%s%d: %s%s%s%s", i ? ", " : "", i, physical->caps.name,
                         physical->unusable ? " (cannot be used: " : "", physical->unusable ? physical->unusable : "",
                         physical->unusable ? ")" : "");
        length += n > 0 ? (size_t)n : 0;
    }
}

static br_status select_by_name(const br_vk_instance *instance, const char *selector, int *out_index)
{
    char list[LIST_MAX];
    int found = -1;
    for (int i = 0; i < instance->device_count; i++) {
        const br_vk_physical *physical = &instance->devices[i];
        if (!contains(physical->caps.name, selector))
            continue;
        if (found < 0) {
            found = i;
        } else if (strcmp(physical->caps.name, instance->devices[found].caps.name) != 0) {
            list_devices(instance, list, sizeof list);
            return br_fail(BR_ERROR_NOT_FOUND, "\"%s\" is part of the name of several devices; devices: %s", selector, list);
        }
    }
    if (found < 0) {
        list_devices(instance, list, sizeof list);
        return br_fail(BR_ERROR_NOT_FOUND, "no device is called \"%s\"; devices: %s", selector, list);
    }
    *out_index = found;
    return NULL;
}

br_status br_vk_instance_select(const br_vk_instance *instance, const char *selector, int *out_index)
{
    char list[LIST_MAX];
    int index = -1;
    if (instance->device_count == 0)
        return br_fail(BR_ERROR_NO_VULKAN, "no Vulkan device found: " NO_DEVICE_ADVICE);
    list_devices(instance, list, sizeof list);
    if (!selector) {
        for (int i = 0; i < instance->device_count && index < 0; i++)
            if (!instance->devices[i].unusable)
                index = i;
        if (index < 0)
            return br_fail(BR_ERROR_NO_VULKAN, "no Vulkan device here can be used; devices: %s", list);
    } else if (selector[0] && strspn(selector, "0123456789") == strlen(selector)) {
        long number = strlen(selector) < 6 ? strtol(selector, NULL, 10) : -1;
        if (number >= 0 && number < instance->device_count)
            index = (int)number;
        else
            BR_TRY(select_by_name(instance, selector, &index)); /* "4090" */
    } else if (selector[0]) {
        BR_TRY(select_by_name(instance, selector, &index));
    } else {
        return br_fail(BR_ERROR_NOT_FOUND, "the device's name is empty; devices: %s", list);
    }
    if (instance->devices[index].unusable)
        return br_fail(BR_ERROR_UNSUPPORTED, "device %d (%s) cannot be used: %s", index, instance->devices[index].caps.name,
                       instance->devices[index].unusable);
    *out_index = index;
    return NULL;
}
