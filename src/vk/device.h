/* Choosing and opening a Vulkan device, and what the engine may rely on there. One device is used by one thread at a time. */
#ifndef BR_VK_DEVICE_H
#define BR_VK_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <volk.h>

#include "base/log.h"
#include "base/status.h"

/* C[m, n] (f32) += A[m, k] · B[k, n] (f16) in one step of a subgroup's matrix units. */
typedef struct br_vk_matrix_shape {
    uint32_t m, n, k;
} br_vk_matrix_shape;
#define BR_VK_MATRIX_SHAPES 4
#define BR_VK_MATRIX_SIDE_MAX 64

/* What the engine decides from the device's capabilities unless it is told. */
typedef enum br_vk_choice { BR_VK_AUTO, BR_VK_ON, BR_VK_OFF } br_vk_choice;

/* shaders/ops/attention.comp; attention_matrix.comp; the same with common/attention_reduce.glsl */
typedef enum br_vk_attention {
    BR_VK_ATTENTION_AUTO,
    BR_VK_ATTENTION_ORDINARY,
    BR_VK_ATTENTION_MATRIX,
    BR_VK_ATTENTION_REDUCE
} br_vk_attention;

/* Kinds of shapes and tiles, as ops/gemm.h has them. */
#define BR_VK_TUNED_SHAPES 3
#define BR_VK_TUNED_TILES 3

/* What was measured (vk/tuning.h) of the matrix products; zeros where nothing was. On disk as it is. */
typedef struct br_vk_tuned {
    uint8_t tile[BR_VK_TUNED_SHAPES];   /* for each kind of shape, counted from 1; 0: what the class of device suggests */
    uint8_t matrix[BR_VK_TUNED_SHAPES]; /* br_vk_choice: whether matrix units take those in f16; AUTO: prefer_matrix */
    uint8_t dot;       /* br_vk_choice: whether integer dot products take matrices in blocks; AUTO: integer_dot_fast */
    uint8_t attention; /* br_vk_attention, of heads that matrix units can take; AUTO: prefer_matrix and prefer_reduce */
} br_vk_tuned;

/* What was measured, or else what is believed. */
static inline bool br_vk_chosen(uint8_t measured, bool believed)
{
    return measured == BR_VK_AUTO ? believed : measured == BR_VK_ON;
}

/* What a device can do and how much of it the engine uses. Plain data: ops choose their variants from it without touching Vulkan. */
typedef struct br_vk_caps {
    char name[256], driver[256], driver_info[256];
    uint32_t vendor_id, device_id, api_version, driver_version;
    uint8_t device_uuid[16], driver_uuid[16], cache_uuid[16];
    VkPhysicalDeviceType type;
    /* limits */
    uint64_t max_storage_range; /* bytes that one binding may span */
    uint64_t max_buffer_size;   /* bytes of one allocation */
    uint32_t max_groups[3];     /* workgroups a dimension */
    uint32_t max_group_size[3];
    uint32_t max_invocations;     /* a workgroup */
    uint32_t max_shared;          /* bytes a workgroup */
    uint32_t max_push;            /* bytes */
    uint32_t max_storage_buffers; /* a stage */
    uint32_t max_allocations;
    uint64_t storage_alignment; /* bytes; offsets of bindings are multiples of it */
    uint64_t atom_size;         /* nonCoherentAtomSize */
    double timestamp_period;    /* ns a tick */
    uint32_t timestamp_bits;    /* 0: no timestamps */
    /* subgroups */
    uint32_t subgroup_size, subgroup_min, subgroup_max;
    bool subgroup_size_control, subgroup_arithmetic, subgroup_shuffle, subgroup_vote;
    /* numbers: four separate facts (PORTABILITY rule 10) */
    bool f16_storage;    /* 16-bit floats in storage buffers */
    bool f16_arithmetic; /* shaderFloat16 */
    bool i8_storage, i8_arithmetic;
    bool integer_dot; /* shaderIntegerDotProduct, enabled */
    bool
        integer_dot_fast; /* and the device has an instruction for four signed bytes: matrices in blocks are multiplied with it unless `tuned` says otherwise */
    /* VK_KHR_cooperative_matrix with what the shaders need besides (subgroups of a known size, 16-bit floats), and the shapes in the driver's order. */
    bool cooperative_matrix;
    uint32_t matrix_count;
    br_vk_matrix_shape matrix[BR_VK_MATRIX_SHAPES];
    /* VK_NV_cooperative_matrix2: sums over rows, operations by element, and sums that become factors. It means nothing without cooperative_matrix. */
    bool matrix_reduce;
    /* Whether ops choose them where nothing was measured: from what is believed of the driver. They mean nothing without cooperative_matrix. */
    bool prefer_matrix, prefer_reduce;
    bool side_queue;            /* a second queue like the first: what is recorded for it runs beside the first one's work */
    bool performance_query;     /* VK_KHR_performance_query: hardware counters */
    bool executable_properties; /* VK_KHR_pipeline_executable_properties */
    /* What the device claims and the engine does not believe, with the reason; one line each. NULL when there is nothing. */
    const char *distrusted[4];
    br_vk_tuned tuned;
    /* memory */
    bool unified_memory;         /* device-local memory is host-visible and is what the host uses too */
    uint64_t device_local_bytes; /* the largest device-local heap */
    uint64_t host_visible_bytes; /* the largest host-visible heap */
} br_vk_caps;

/* Counts since the device was opened; tests assert on them. */
typedef struct br_vk_counters {
    uint64_t memory_allocations; /* vkAllocateMemory calls */
    uint64_t buffers;            /* buffers created */
    uint64_t pipelines;          /* pipelines built */
    uint64_t recorded_commands;  /* dispatches and copies recorded */
    uint64_t submissions;
    uint64_t memory_bytes;      /* allocated now */
    uint64_t memory_peak_bytes; /* since br_vk_device_spare, where that was called */
    uint64_t validation_errors; /* messages of the validation layers, errors and warnings about synchronization */
} br_vk_counters;

typedef struct br_vk_instance br_vk_instance;

typedef struct br_vk_instance_params {
    const br_log *log; /* borrowed for the life of the instance; may be NULL */
    bool validation;   /* core and synchronization validation; fails when the layers are missing */
} br_vk_instance_params;

/* Errors: BR_ERROR_NO_VULKAN when there is no loader ("install ..."), or none that gives an instance. The environment variable
 * BRUME_VALIDATION=1 turns validation on as well. Not from two threads at once: volk's function pointers are the process's. */
BR_MUST_CHECK br_status br_vk_instance_create(const br_vk_instance_params *params, br_vk_instance **out_instance);
/* Takes NULL. Devices first: they borrow the instance. */
void br_vk_instance_destroy(br_vk_instance *instance);
/* Errors of the validation layers so far, and everything synchronization validation said. 0 without validation. */
uint64_t br_vk_instance_validation_errors(const br_vk_instance *instance);
int br_vk_instance_device_count(const br_vk_instance *instance);
/* Borrowed; index as in `-d INDEX`: discrete first, then integrated, virtual, CPU; stable within a kind. Devices without what the engine needs
 * (Vulkan 1.1, a compute queue, 6 storage buffers a stage, 128 bytes of push constants) are listed too: *out_reason is NULL for usable ones,
 * else one line. */
const br_vk_caps *br_vk_instance_caps(const br_vk_instance *instance, int index, const char **out_reason);
/* `selector` is NULL (the first usable device), an index, or a part of the name (case-insensitive, must match one device only or the first match
 * of several equal names). Errors: BR_ERROR_NOT_FOUND listing the devices, BR_ERROR_NO_VULKAN when there is none. */
BR_MUST_CHECK br_status br_vk_instance_select(const br_vk_instance *instance, const char *selector, int *out_index);

typedef struct br_vk_device br_vk_device;

typedef struct br_vk_device_params {
    br_vk_instance *instance; /* borrowed; outlives the device */
    int index;
    const char *cache_dir;                            /* where the pipeline cache lives; NULL: no cache on disk */
    uint64_t max_storage_range;                       /* lowers the device's own limit (tests); 0: the device's */
    uint32_t max_shared, max_invocations, max_groups; /* likewise */
    bool gauges;                                      /* hardware counters, see gauges.h; BR_ERROR_UNSUPPORTED without them */
    bool no_f16;                                      /* pretend that there is no 16-bit storage or arithmetic */
    /* Override caps.integer_dot_fast and caps.prefer_matrix, and what was measured; BR_ERROR_UNSUPPORTED for ON without caps.integer_dot and
     * caps.cooperative_matrix. */
    br_vk_choice integer_dot, matrix_units;
    bool force_staging; /* pretend that the host does not see device memory */
    bool capture_statistics,
        capture_representations; /* keep for vk/executable.h what the compiler says, where the device can; no cache then */
    bool share_queue;            /* pretend that there is a second queue: its work goes to the first */
    bool force_bar;              /* pretend that the host writes device memory but should not read it (resizable BAR) */
    bool discrete_gpu;           /* pretend to be one: ops take the forms for GPUs */
} br_vk_device_params;

BR_MUST_CHECK br_status br_vk_device_create(const br_vk_device_params *params, br_vk_device **out_device);
/* Waits for the device to be idle, writes the pipeline cache, releases everything. Takes NULL. All buffers, pipelines and recordings must be gone,
 * except pipelines obtained from br_vk_device_pipeline, which belong to the device. */
void br_vk_device_destroy(br_vk_device *device);
const br_vk_caps *br_vk_device_caps(const br_vk_device *device);
/* Valid as long as the device; validation_errors is as of this call. */
const br_vk_counters *br_vk_device_counters(const br_vk_device *device);
typedef enum br_vk_tuning_state { BR_VK_TUNED, BR_VK_NOT_TUNED, BR_VK_TUNING_NOT_KEPT } br_vk_tuning_state;
/* Whether a measurement was read when the device was opened, or made since; the last: there is no folder that would keep one. */
br_vk_tuning_state br_vk_device_tuning(const br_vk_device *device);
/* From now on, and for devices that are opened later with the same folder. Errors: the file cannot be written. */
BR_MUST_CHECK br_status br_vk_device_tune(br_vk_device *device, const br_vk_tuned *tuned);
/* Removes the file too. */
void br_vk_device_forget_tuning(br_vk_device *device);
/* memory_peak_bytes is from now on. */
void br_vk_device_forget_peak(br_vk_device *device);

#endif
