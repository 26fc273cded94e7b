#include "brume/generate.h"

#include "api/context.h"
#include "pipeline/draw.h"
#include "pipeline/pipeline.h"
#include "pipeline/refine.h"
#include "pipeline/tune.h"

/* With guidance, as nearly everything is drawn. */
static br_picture_size first_size(const br_pipeline_params *params)
{
    int multiple = params->model->defaults.size_multiple;
    return (br_picture_size){.height = params->height / multiple,
                             .width = params->width / multiple,
                             .batch = params->batch_size > 1 ? params->batch_size : 1,
                             .copies = br_model_get_task(params->model) == BR_TASK_EDIT ? 3 : 2};
}

br_status br_pipeline_create(const br_pipeline_params *params, br_pipeline **out_pipeline)
{
    br_prof_attach(params->profile, params->device->device);
    int span = br_prof_begin(params->profile, "upload");
    br_tune_first_start(params->device->device, &params->device->context->log);
    br_picture_size first = first_size(params);
    if (first.width > 0 && first.height > 0)
        br_pipeline_expect(params->device->device, params->model, params->precision, &first);
    br_status status = br_pipeline_open_within(&(br_pipeline_open_params){.device = params->device->device,
                                                                          .model = params->model,
                                                                          .precision = params->precision,
                                                                          .memory_budget = params->memory_budget,
                                                                          .vae_tile = params->vae_tile,
                                                                          .bare = params->random_weights},
                                               out_pipeline);
    br_prof_end(params->profile, span);
    BR_TRY(status);
    (*out_pipeline)->profile = params->profile;
    br_prof_describe(params->profile, params->model->name, br_pipeline_dtype(*out_pipeline));
    return NULL;
}

void br_pipeline_destroy(br_pipeline *pipeline)
{
    if (pipeline)
        br_prof_detach(pipeline->profile);
    br_pipeline_close(pipeline);
}

const char *br_pipeline_dtype(const br_pipeline *pipeline)
{
    return br_dtype_name(pipeline->dtypes.unet.activations);
}

static br_status check_drawable(const br_pipeline *pipeline, const br_generate_params *params)
{
    BR_TRY(br_model_check_drawable(pipeline->model));
    if (pipeline->bare)
        return br_fail(BR_ERROR_ARGUMENT, "the pipeline was opened with random weights, which cannot draw");
    return params->refiner ? br_model_check_drawable(params->refiner->model) : NULL;
}

br_status br_generate_next(br_pipeline *pipeline, const br_generate_params *params, br_generation *out_generation)
{
    *out_generation = (br_generation){0};
    BR_TRY(check_drawable(pipeline, params));
    br_pipeline_overlap(pipeline);
    return br_draw_next(pipeline, params, out_generation);
}

br_status br_generate_last(br_pipeline *pipeline, br_generation *out_generation)
{
    return br_draw_last(pipeline, out_generation);
}

br_status br_generate(br_pipeline *pipeline, const br_generate_params *params, br_generation *out_generation)
{
    *out_generation = (br_generation){0};
    BR_TRY(check_drawable(pipeline, params));
    return br_draw_pictures(pipeline, params, out_generation);
}

void br_generation_finish(br_generation *generation)
{
    br_generation_release(generation);
}

br_status br_generate_check(const br_model *model, const br_generate_params *params)
{
    br_request request;
    return params->refiner ? br_generate_check_refiner(model, params->refiner->model, params)
                           : br_request_resolve(model, params, &request);
}

br_status br_generate_check_refiner(const br_model *model, const br_model *refiner, const br_generate_params *params)
{
    br_refinement refinement;
    return br_refinement_init(model, refiner, params, &refinement);
}

const char *br_sampler_list(int index)
{
    return index >= 0 && index < BR_SAMPLER_COUNT ? br_sampler_name((br_sampler)index) : NULL;
}

const char *br_schedule_list(int index)
{
    return index >= 0 && index < BR_SIGMAS_COUNT ? br_sigmas_name((br_sigmas)index) : NULL;
}
