#include "pipeline/memory.h"

#include <string.h>

#include "image/image.h"
#include "pipeline/budget.h"
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

/* What is described: with a pool of that many bytes in such banks, or 0. */
typedef struct placement {
    uint64_t pool, bank;
} placement;

static br_status describe(const char *name, br_dtype dtype, const br_program *program, const placement *place, br_memory_info *info)
{
    br_stage_info *stage = &info->stages[info->stage_count++];
    *stage = (br_stage_info){
        .name = name,
        .dtype = br_dtype_name(dtype),
        .dispatches = program->dispatch_count,
        .flops = program->flops,
        .weight_bytes = program->weight_bytes,
        .activation_bytes = (uint64_t)program->plan.arena_bytes,
        .activation_lower_bound_bytes = (uint64_t)program->plan.lower_bound_bytes,
        .segments = 1,
    };
    info->weight_bytes += stage->weight_bytes;
    if (stage->activation_bytes > info->activation_bytes)
        info->activation_bytes = stage->activation_bytes;
    if (!place->pool)
        return NULL;
    br_cut cut;
    BR_TRY(br_cut_init(&(br_cut_params){.program = program, .pool_bytes = place->pool, .bank_bytes = place->bank}, &cut));
    stage->streamed_bytes = cut.streamed_bytes;
    stage->segments = cut.segment_count;
    br_cut_finish(&cut);
    return NULL;
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
    int factor = br_vae_factor(&params->model->vae);
    request.size.encodes = params->budget && picture.pixels && task != BR_TASK_DRAW;
    request.size.decode_tile = request.size.encode_tile = params->vae_tile / factor;
    br_pipeline_programs programs;
    br_budget budget;
    BR_TRY(br_budget_plan(&(br_budget_params){.model = params->model, .caps = caps, .dtypes = &dtypes, .bytes = params->budget},
                          &request.size, &budget, &programs));
    static const char *const names[BR_MODEL_TEXT_MAX] = {"text", "text_2"};
    const placement place = {budget.whole ? 0 : budget.pool_bytes, budget.whole ? 0 : br_pool_bank_bytes(caps, budget.pool_bytes)};
    br_tiles tiles = br_tiles_make(request.size.height, request.size.width, request.size.decode_tile);
    br_memory_info info = {.least_budget = budget.least_bytes,
                           .whole_budget = budget.whole_bytes,
                           .tile_width = tiles.tile_width * factor,
                           .tile_height = tiles.tile_height * factor};
    br_status status = NULL;
    for (int i = 0; i < BR_MODEL_TEXT_MAX && !status; i++)
        if (programs.text[i])
            status = describe(names[i], dtypes.text[i].activations, programs.text[i], &place, &info);
    if (!status && programs.cross)
        status = describe("cross", dtypes.unet.activations, programs.cross, &place, &info);
    if (!status)
        status = describe("denoise", dtypes.unet.activations, programs.denoise, &place, &info);
    if (!status)
        status = describe("decode", dtypes.vae.activations, programs.decode, &place, &info);
    if (!status)
        status = check_tensors(params->model, &programs);
    br_pipeline_programs_finish(&programs);
    if (status)
        return status;
    info.total_bytes = budget.whole ? info.weight_bytes + info.activation_bytes : params->budget;
    *out_info = info;
    return NULL;
}
