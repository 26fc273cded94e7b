/* What is behind the opaque handles of instance and device: for the files of src/vk only. */
#ifndef BR_VK_HANDLES_H
#define BR_VK_HANDLES_H

#include <stdatomic.h>

#include "vk/caps.h"
#include "vk/check.h"
#include "vk/device.h"
#include "vk/gauges.h"
#include "vk/memory.h"

struct br_vk_instance {
    VkInstance handle;
    const br_log *log; /* borrowed, may be NULL */
    bool validation, debug_utils;
    VkDebugUtilsMessengerEXT messenger;
    atomic_uint_fast64_t validation_errors; /* the layers may call from any thread */
    br_vk_physical *devices;                /* owned, in the order of `-d` */
    int device_count;
};

typedef struct br_vk_staging br_vk_staging;
typedef struct br_vk_pipelines br_vk_pipelines;

/* What the host may do with device-local memory. */
typedef enum br_vk_host_access {
    BR_VK_HOST_NONE,   /* staging copies both ways */
    BR_VK_HOST_WRITES, /* resizable BAR: mapped, fast to write, slow to read */
    BR_VK_HOST_SHARES, /* unified memory */
} br_vk_host_access;

struct br_vk_device {
    br_vk_instance *instance;       /* borrowed */
    const br_vk_physical *physical; /* borrowed from the instance */
    br_vk_caps caps;                /* the physical device's, lowered by the params */
    VkDevice handle;
    struct VolkDeviceTable fn; /* per device, so that several devices may live in a process */
    VkQueue queue;
    VkQueue side_queue; /* VK_NULL_HANDLE unless caps.side_queue; of the same family */
    uint32_t queue_family;
    br_vk_host_access host_access;
    bool lost;
    bool capture_statistics, capture_representations;       /* of pipelines: asked for, and there */
    br_vk_counters *counters;                               /* owned */
    PFN_vkGetCalibratedTimestampsEXT calibrated_timestamps; /* NULL where the clocks cannot be read together */
    bool want_gauges;
    br_vk_gauges gauges;  /* those of one pass; none unless they are wanted */
    uint32_t gauge_locks; /* recordings that hold the profiling lock */
    br_vk_memory memory;
    br_vk_staging *staging;     /* owned; NULL until something needs it */
    br_vk_pipelines *pipelines; /* owned */
    char *tuning_path;          /* owned; NULL: what is measured is not kept */
    bool tuned;
    /* The user chose about integer dot products, and about matrix units: what was measured of them does not count. */
    bool dot_told, matrix_told;
};

/* Fills device->calibrated_timestamps. */
void br_vk_clock_init(br_vk_device *device);

/* Gives an object a name for debug tools; does nothing without VK_EXT_debug_utils. */
void br_vk_device_set_name(br_vk_device *device, VkObjectType type, uint64_t handle, const char *name);

typedef struct br_vk_wait_params {
    VkFence fence;
    const char *what; /* names the work in messages */
} br_vk_wait_params;

/* Waits for as long as it takes; a lost device is BR_ERROR_DEVICE_LOST. */
BR_MUST_CHECK br_status br_vk_device_wait(br_vk_device *device, const br_vk_wait_params *params);
/* Submits one command buffer to a queue of the device and counts it. */
BR_MUST_CHECK br_status br_vk_device_submit(br_vk_device *device, VkQueue queue, VkCommandBuffer commands, VkFence fence);

#endif
