/* Every compute pipeline that the engine would build for a model on a device, and what the driver's compiler says about each. Nothing is uploaded and
 * nothing runs. */
#ifndef BRUME_SHADERS_H
#define BRUME_SHADERS_H

#include <stddef.h>

#include "brume/model.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What most compilers tell, under one name for all drivers. What exactly a driver counts is in docs/shader-stats.md. */
typedef enum br_shader_number {
    BR_SHADER_REGISTERS,        /* 32-bit registers an invocation */
    BR_SHADER_SCALAR_REGISTERS, /* registers that a subgroup shares (AMD's SGPRs, Adreno's constants excluded) */
    BR_SHADER_SPILLS,           /* values or stores that did not fit the registers */
    BR_SHADER_FILLS,            /* loads of what was spilled */
    BR_SHADER_SCRATCH_BYTES,    /* memory an invocation, for spills and indexed arrays */
    BR_SHADER_SHARED_BYTES,     /* of a workgroup */
    BR_SHADER_WAVES,            /* subgroups that a core holds at once, the driver's estimate */
    BR_SHADER_THREADS,          /* invocations that a core holds at once */
    BR_SHADER_INSTRUCTIONS,
    BR_SHADER_CYCLES,     /* the driver's static estimate; loops are counted once, so it compares builds of one shader */
    BR_SHADER_CODE_BYTES, /* of machine code */
    BR_SHADER_NUMBER_COUNT
} br_shader_number;
/* "registers", "scalar_registers", … */
BR_API const char *br_shader_number_name(br_shader_number number);

typedef struct br_shader_statistic {
    const char *name, *description; /* the driver's own words */
    double value;                   /* true is 1 */
    bool is_float;                  /* else a whole number or a bool */
} br_shader_statistic;

/* Intermediate and final code, as far as the driver shows it: the last is usually the machine's own. */
typedef struct br_shader_representation {
    const char *name, *description; /* the driver's own words */
    bool is_text;                   /* else bytes of the driver's own */
    const char *data;               /* a zero follows */
    size_t size;
} br_shader_representation;

/* One of the programs that the pipeline became; most drivers make one. */
typedef struct br_shader_executable {
    const char *name, *description; /* the driver's own words */
    uint32_t subgroup_size;
    const br_shader_statistic *statistics;
    const br_shader_representation *representations;
    int statistic_count, representation_count;
} br_shader_executable;

typedef struct br_shader_constant {
    const char *name; /* as in the shader's source; "#4" for one that has none */
    uint32_t value;
} br_shader_constant;

#define BR_SHADER_CONSTANT_MAX 16
/* "text", "unet" (one step with guidance), "vae" (decoder), "encode": br_shader_stage_name. */
#define BR_SHADER_STAGE_COUNT 4

typedef struct br_shader_info {
    const char *shader; /* the variant: "conv2d_f16_f16" */
    br_shader_constant constants[BR_SHADER_CONSTANT_MAX];
    int constant_count;
    uint32_t binding_count, push_bytes;
    const uint32_t *spirv;
    size_t spirv_bytes;
    const char *layer;                     /* the first dispatch that uses it */
    int dispatches[BR_SHADER_STAGE_COUNT]; /* of one run of each stage */
    double flops[BR_SHADER_STAGE_COUNT];   /* likewise */
    double compile_seconds;                /* what building the pipeline took */
    /* Summed over the executables; NaN where the driver does not say. */
    double numbers[BR_SHADER_NUMBER_COUNT];
    const br_shader_executable *executables;
    int executable_count; /* 0: the driver says nothing */
} br_shader_info;

BR_API const char *br_shader_stage_name(int stage);

typedef struct br_shader_list_params {
    br_context *context;                 /* borrowed during the call */
    const char *selector;                /* as for br_device_open */
    br_choice integer_dot, matrix_units; /* as for br_device_open */
    const br_model *model;               /* borrowed during the call */
    br_precision precision;
    int width, height, batch_size; /* 0: the model's defaults, 1 */
    bool statistics;               /* ask the driver */
    bool representations;          /* ask it for intermediate and machine code as well */
} br_shader_list_params;

typedef struct br_shader_list {
    char device[256], driver[520];
    bool has_statistics; /* the device has VK_KHR_pipeline_executable_properties */
    int width, height, batch_size;
    const char *dtype;       /* static; of the UNet's activations */
    br_shader_info *shaders; /* those with the most work first */
    int count;
    void *storage; /* what everything above points to */
} br_shader_list;

/* Builds every pipeline once, on a device opened for it and closed again. Errors: as br_device_open; BR_ERROR_VULKAN naming the shader that the driver
 * could not compile. On failure *out_list is zeroed. */
BR_API BR_MUST_CHECK br_status br_shader_list_create(const br_shader_list_params *params, br_shader_list *out_list);
BR_API void br_shader_list_finish(br_shader_list *list);

#ifdef __cplusplus
}
#endif
#endif
