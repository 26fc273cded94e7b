#include "pipeline/draw.h"

#include <math.h>
#include <stdlib.h>

#include "base/clock.h"
#include "image/image.h"
#include "pipeline/parameters.h"
#include "pipeline/refine.h"

static br_status decode_picture(br_run *run, int index, float *planes)
{
    const br_request *request = &run->request;
    br_generated *generated = &run->generation.pictures[index];
    BR_TRY(br_pipeline_decode(run->pipeline, run->latents + index * request->latent_count, planes));
    int64_t size = (int64_t)BR_IMAGE_CHANNELS * request->width * request->height;
    for (int64_t i = 0; i < size; i++)
        planes[i] = 0.5f * planes[i] + 0.5f;
    BR_TRY(br_image_from_planes(&(br_image_planes){.data = planes, .width = request->width, .height = request->height},
                                &generated->image));
    for (int64_t i = 0; i < size; i++)
        planes[i] = fminf(fmaxf(planes[i], 0), 1);
    BR_TRY(br_dump_picture(&run->dump, index, planes));
    generated->seed = request->seed + index;
    const br_model *refiner = run->refinement ? run->params->refiner->model : NULL;
    generated->parameters = br_request_parameters(request, run->pipeline->model, refiner, generated->seed);
    return generated->parameters ? NULL : br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory for the parameters' text");
}

static br_status decode(br_run *run)
{
    const br_request *request = &run->request;
    float *planes = malloc((size_t)BR_IMAGE_CHANNELS * (size_t)request->width * (size_t)request->height * sizeof *planes);
    if (!planes)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory for a picture of %d×%d", request->width, request->height);
    br_status status = br_run_begin(run, "decode", request->size.batch);
    for (int i = 0; i < request->size.batch && !status; i++) {
        int span = br_prof_begin(run->pipeline->profile, "decode");
        status = decode_picture(run, i, planes);
        br_prof_end(run->pipeline->profile, span);
        if (!status)
            status = br_run_report(run, i + 1);
    }
    free(planes);
    run->generation.decode_seconds = br_clock_seconds() - run->began;
    return status;
}

static br_status draw(br_run *run)
{
    const br_request *request = &run->request;
    BR_TRY(br_run_init(run));
    run->rngs = malloc((size_t)request->size.batch * sizeof *run->rngs);
    run->generation.pictures = calloc((size_t)request->size.batch, sizeof *run->generation.pictures);
    run->generation.count = request->size.batch;
    if (!run->rngs || !run->generation.pictures)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory for %d pictures", request->size.batch);
    BR_TRY(br_dump_begin(&run->dump));
    BR_TRY(br_pipeline_prepare(run->pipeline, &request->size));
    BR_TRY(br_run_start(run));
    BR_TRY(br_run_text(run));
    BR_TRY(br_run_denoise(run));
    if (run->refinement)
        BR_TRY(br_run_refine(run));
    return decode(run);
}

br_status br_draw_pictures(br_pipeline *pipeline, const br_generate_params *params, br_generation *out_generation)
{
    *out_generation = (br_generation){0};
    br_refinement refinement;
    br_run run = {.pipeline = pipeline, .params = params};
    if (params->refiner) {
        BR_TRY(br_refinement_init(pipeline->model, params->refiner->model, params, &refinement));
        run.refinement = &refinement;
        run.params = &refinement.base;
    }
    BR_TRY(br_request_resolve(pipeline->model, run.params, &run.request));
    br_status status = draw(&run);
    br_run_finish(&run);
    free(run.rngs);
    if (status)
        br_generation_release(&run.generation);
    *out_generation = run.generation;
    return status;
}

void br_generation_release(br_generation *generation)
{
    for (int i = 0; i < generation->count && generation->pictures; i++) {
        br_image_finish(&generation->pictures[i].image);
        free(generation->pictures[i].parameters);
    }
    free(generation->pictures);
    *generation = (br_generation){0};
}
