/* Vulkan devices: what there is, what Brume would use of each, and opening one. */
#ifndef BRUME_DEVICE_H
#define BRUME_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "brume/log.h"
#include "brume/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The library's connection to Vulkan. A context and everything made from it is used by one thread at a time. */
typedef struct br_context br_context;

typedef struct br_context_params {
    br_log_callback log; /* may be NULL */
    void *log_user;      /* borrowed for the context's life */
    br_log_level log_level;
    bool validation; /* turn the Vulkan validation layers on (developers); so does the environment variable BRUME_VALIDATION=1 */
} br_context_params;

/* Errors: BR_ERROR_NO_VULKAN when there is no Vulkan loader or no driver at all. */
BR_API BR_MUST_CHECK br_status br_context_create(const br_context_params *params, br_context **out_context);
/* After everything that was made from it. Takes NULL. */
BR_API void br_context_destroy(br_context *context);

typedef struct br_device_info {
    int index;                               /* as in `-d INDEX` */
    const char *name, *driver, *driver_info; /* borrowed from the context */
    const char *kind;                        /* "discrete", "integrated", "virtual", "cpu", "other" */
    const char *problem;                     /* NULL, or why Brume cannot use the device */
    uint32_t api_version;                    /* VK_API_VERSION_* packing */
    uint64_t device_local_bytes;
    bool unified_memory;
    /* what the engine will use there */
    const char *dtype; /* what --dtype auto means: "f16" or "f32" */
    bool f16_storage, f16_arithmetic, integer_dot, cooperative_matrix, timestamps;
    bool second_queue;                   /* br_generate_next decodes there */
    bool integer_dot_fast;               /* matrices in GGUF's blocks are multiplied by integer dot products */
    uint32_t subgroup_min, subgroup_max; /* invocations */
    uint32_t max_invocations;            /* a workgroup */
    uint32_t max_shared_bytes;           /* a workgroup */
    uint64_t max_binding_bytes;          /* larger tensors are bound in slices */
} br_device_info;

BR_API int br_context_device_count(const br_context *context);
/* index: 0 .. count - 1, in order of preference. */
BR_API BR_MUST_CHECK br_status br_context_device_info(const br_context *context, int index, br_device_info *out_info);

typedef struct br_device br_device;

/* Whether to use what a device may have. */
typedef enum br_choice {
    BR_CHOICE_AUTO, /* where it is fast */
    BR_CHOICE_ON,   /* BR_ERROR_UNSUPPORTED where the device has none, or none that is believed */
    BR_CHOICE_OFF,
} br_choice;

typedef struct br_device_params {
    br_context *context;   /* borrowed; outlives the device */
    const char *selector;  /* index, part of the name, or NULL for the preferred device */
    const char *cache_dir; /* folder of the pipeline cache; NULL: the user's cache folder; "": none */
    /* Matrices in GGUF's blocks by integer dot products: several times the speed where a device has an instruction for it, for activations rounded to 8 bits
     * (docs/performance.md says what that costs). */
    br_choice integer_dot;
    br_choice matrix_units; /* matrix products, convolutions and attention in f16 by VK_KHR_cooperative_matrix */
    bool hardware_counters; /* what profiles read of them; BR_ERROR_UNSUPPORTED where the driver has none */
} br_device_params;

/* Errors: BR_ERROR_NOT_FOUND (no such device; lists what there is), BR_ERROR_NO_VULKAN, BR_ERROR_UNSUPPORTED, BR_ERROR_OUT_OF_DEVICE_MEMORY. */
BR_API BR_MUST_CHECK br_status br_device_open(const br_device_params *params, br_device **out_device);
BR_API void br_device_close(br_device *device);
BR_API const char *br_device_name(const br_device *device);
/* Errors and hazards that the validation layers reported so far; 0 without them. */
BR_API uint64_t br_context_validation_errors(const br_context *context);

/* Counts since the device was opened. */
typedef struct br_device_counters {
    uint64_t recorded_commands, memory_allocations, buffers, pipelines, submissions;
    uint64_t memory_bytes, memory_peak_bytes; /* of device memory, now and at most */
} br_device_counters;
BR_API br_device_counters br_device_get_counters(const br_device *device);

#ifdef __cplusplus
}
#endif
#endif
