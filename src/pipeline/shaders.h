/* The pipelines of a model on a device, with what the driver says about them. See brume/shaders.h for the contracts. */
#ifndef BR_PIPELINE_SHADERS_H
#define BR_PIPELINE_SHADERS_H

#include "brume/shaders.h"
#include "pipeline/model.h"
#include "vk/device.h"

typedef struct br_shaders_params {
    br_vk_device *device; /* borrowed; created with capture for statistics and representations */
    const br_model *model;
    br_precision precision;
    int width, height, batch; /* picture pixels; 0: the model's default, 1 */
} br_shaders_params;

BR_MUST_CHECK br_status br_shaders_list(const br_shaders_params *params, br_shader_list *out_list);
void br_shaders_list_finish(br_shader_list *list);

const char *br_shaders_number_name(br_shader_number number);
const char *br_shaders_stage_name(int stage);
/* Adds the statistic of a driver (VkPhysicalDeviceDriverProperties::driverName) to the number that it counts for, if any; `numbers` begin as NaN. */
void br_shaders_count_statistic(const char *driver, const br_shader_statistic *statistic, double numbers[BR_SHADER_NUMBER_COUNT]);

#endif
