#include "pipeline/memory.h"

#include <string.h>

#include "image/image.h"
#include "pipeline/request.h"

/* The minimum device of decision 6 in docs/DESIGN.md. */
static br_vk_caps minimum_device(void)
{
    br_vk_caps caps = {
        .driver = "none",
        .type = VK_PHYSICAL_DEVICE_TYPE_OTHER,
        .max_storage_range = (uint64_t)128 << 20,
        .max_buffer_size = (uint64_t)1 << 30,
        .max_groups = {65535, 65535, 65535},
        .max_group_size = {256, 256, 64},
        .max_invocations = 256,
        .max_shared = 16 << 10,
        .max_push = 128,
        .max_storage_buffers = 6,
        .max_allocations = 4096,
        .storage_alignment = 256,
        .atom_size = 256,
        .subgroup_size = 4,
        .subgroup_min = 4,
        .subgroup_max = 4,
    };
    strcpy(caps.name, "a minimum device");
    return caps;
}

static br_stage_info describe(const char *name, br_dtype dtype, const br_program *program)
{
    return (br_stage_info){
        .name = name,
        .dtype = br_dtype_name(dtype),
        .dispatches = program->dispatch_count,
        .flops = program->flops,
        .weight_bytes = program->weight_bytes,
        .activation_bytes = (uint64_t)program->plan.arena_bytes,
        .activation_lower_bound_bytes = (uint64_t)program->plan.lower_bound_bytes,
    };
}

/* That the model's tensors are those that the programs call for. */
static br_status check_tensors(const br_model *model, const br_pipeline_programs *programs)
{
    if (model->weightless)
        return NULL;
    for (int i = 0; i < BR_MODEL_TEXT_MAX; i++)
        if (programs->text[i])
            BR_TRY(br_bound_weights_check(programs->text[i]->graph, model->parts[i].weights, model->parts[i].name));
    if (programs->cross)
        BR_TRY(br_bound_weights_check(programs->cross->graph, model->parts[BR_COMPONENT_UNET].weights, "unet"));
    BR_TRY(br_bound_weights_check(programs->denoise->graph, model->parts[BR_COMPONENT_UNET].weights, "unet"));
    return br_bound_weights_check(programs->decode->graph, model->parts[BR_COMPONENT_VAE].weights, "vae");
}

br_status br_memory_plan(const br_memory_plan_params *params, br_memory_info *out_info)
{
    *out_info = (br_memory_info){0};
    br_vk_caps minimum = minimum_device();
    const br_vk_caps *caps = params->caps ? params->caps : &minimum;
    br_request request;
    uint8_t white[BR_IMAGE_CHANNELS] = {255, 255, 255}; /* a picture for the models that do nothing without one */
    const br_image picture = {.width = 1, .height = 1, .pixels = white};
    br_model_task task = br_model_get_task(params->model);
    BR_TRY(br_request_resolve(params->model,
                              &(br_generate_params){.prompt = "",
                                                    .width = params->width ? params->width : params->model->defaults.width,
                                                    .height = params->height ? params->height : params->model->defaults.height,
                                                    .batch_size = params->batch,
                                                    .init_image = task == BR_TASK_DRAW ? NULL : &picture,
                                                    .mask = task == BR_TASK_INPAINT ? &picture : NULL},
                              &request));
    br_pipeline_dtypes dtypes;
    BR_TRY(br_pipeline_choose_dtypes(params->model, caps, params->precision, &dtypes));
    br_pipeline_programs programs;
    BR_TRY(br_pipeline_plan(params->model, caps, &dtypes, &request.size, &programs));
    static const char *const names[BR_MODEL_TEXT_MAX] = {"text", "text_2"};
    br_memory_info info = {0};
    for (int i = 0; i < BR_MODEL_TEXT_MAX; i++)
        if (programs.text[i])
            info.stages[info.stage_count++] = describe(names[i], dtypes.text[i].activations, programs.text[i]);
    if (programs.cross)
        info.stages[info.stage_count++] = describe("cross", dtypes.unet.activations, programs.cross);
    info.stages[info.stage_count++] = describe("denoise", dtypes.unet.activations, programs.denoise);
    info.stages[info.stage_count++] = describe("decode", dtypes.vae.activations, programs.decode);
    br_status status = check_tensors(params->model, &programs);
    br_pipeline_programs_finish(&programs);
    if (status)
        return status;
    for (int i = 0; i < info.stage_count; i++) {
        info.weight_bytes += info.stages[i].weight_bytes;
        if (info.stages[i].activation_bytes > info.activation_bytes)
            info.activation_bytes = info.stages[i].activation_bytes;
    }
    info.total_bytes = info.weight_bytes + info.activation_bytes;
    *out_info = info;
    return NULL;
}
