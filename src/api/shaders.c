#include "brume/shaders.h"

#include "api/context.h"
#include "pipeline/shaders.h"

br_status br_shader_list_create(const br_shader_list_params *params, br_shader_list *out_list)
{
    *out_list = (br_shader_list){0};
    int index;
    br_vk_device *device;
    br_vk_instance *instance = params->context->instance;
    BR_TRY(br_vk_instance_select(instance, params->selector, &index));
    BR_TRY(br_vk_device_create(&(br_vk_device_params){.instance = instance,
                                                      .index = index,
                                                      .integer_dot = (br_vk_choice)params->integer_dot,
                                                      .matrix_units = (br_vk_choice)params->matrix_units,
                                                      .capture_statistics = params->statistics,
                                                      .capture_representations = params->representations},
                               &device));
    br_status status = br_shaders_list(&(br_shaders_params){.device = device,
                                                            .model = params->model,
                                                            .precision = params->precision,
                                                            .width = params->width,
                                                            .height = params->height,
                                                            .batch = params->batch_size},
                                       out_list);
    br_vk_device_destroy(device);
    return status;
}

void br_shader_list_finish(br_shader_list *list)
{
    br_shaders_list_finish(list);
}

const char *br_shader_number_name(br_shader_number number)
{
    return br_shaders_number_name(number);
}

const char *br_shader_stage_name(int stage)
{
    return br_shaders_stage_name(stage);
}
