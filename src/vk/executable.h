/* What the driver's compiler says about a pipeline that it built: VK_KHR_pipeline_executable_properties. The device must have been created with
 * capture_statistics, and capture_representations for the texts. */
#ifndef BR_VK_EXECUTABLE_H
#define BR_VK_EXECUTABLE_H

#include "vk/pipeline.h"

typedef enum br_vk_statistic_format {
    BR_VK_STATISTIC_BOOL,
    BR_VK_STATISTIC_INT,
    BR_VK_STATISTIC_UINT,
    BR_VK_STATISTIC_FLOAT
} br_vk_statistic_format;

typedef struct br_vk_statistic {
    char name[VK_MAX_DESCRIPTION_SIZE], description[VK_MAX_DESCRIPTION_SIZE]; /* the driver's words */
    br_vk_statistic_format format;
    double value; /* whole numbers are exact to 2^53 */
} br_vk_statistic;

typedef struct br_vk_representation {
    char name[VK_MAX_DESCRIPTION_SIZE], description[VK_MAX_DESCRIPTION_SIZE];
    bool is_text; /* else bytes of the driver's own */
    size_t size;  /* without the zero that follows */
    char *data;   /* owned */
} br_vk_representation;

/* One of the programs that a pipeline became; most drivers make one. */
typedef struct br_vk_executable {
    char name[VK_MAX_DESCRIPTION_SIZE], description[VK_MAX_DESCRIPTION_SIZE];
    uint32_t subgroup_size;
    br_vk_statistic *statistics;           /* owned */
    br_vk_representation *representations; /* owned */
    uint32_t statistic_count, representation_count;
} br_vk_executable;

typedef struct br_vk_executables {
    br_vk_executable *items; /* owned */
    uint32_t count;
} br_vk_executables;

/* Empty where the device lacks the extension or was created without capture. On failure *out_executables is zeroed. */
BR_MUST_CHECK br_status br_vk_executables_init(br_vk_device *device, const br_vk_pipeline *pipeline,
                                               br_vk_executables *out_executables);
void br_vk_executables_finish(br_vk_executables *executables);

#endif
