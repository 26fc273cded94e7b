#include "pipeline/draw.h"

#include <math.h>
#include <stdlib.h>

#include "base/clock.h"
#include "image/image.h"
#include "pipeline/conditioning.h"
#include "pipeline/parameters.h"
#include "pipeline/run.h"

static br_status run_text(br_run *run)
{
    BR_TRY(br_run_begin(run, "text", 1));
    int span = br_prof_begin(run->pipeline->profile, "text");
    BR_TRY(br_conditioning_write(run->pipeline, &run->request, &run->dump));
    br_prof_end(run->pipeline->profile, span);
    run->generation.text_seconds = br_clock_seconds() - run->began;
    return br_run_report(run, 1);
}

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
    generated->parameters = br_request_parameters(request, run->pipeline->model, generated->seed);
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

static br_status allocate(br_run *run)
{
    const br_request *request = &run->request;
    size_t count = (size_t)run->count, batch = (size_t)request->size.batch;
    size_t picture = (size_t)BR_IMAGE_CHANNELS * (size_t)request->width * (size_t)request->height;
    run->latents = malloc(count * sizeof *run->latents);
    run->scratch = malloc(count * sizeof *run->scratch);
    run->output =
        malloc(((run->params->dump_dir || run->params->preview) ? (size_t)request->size.copies * count : 1) * sizeof *run->output);
    run->preview = malloc((run->params->preview ? (size_t)request->latent_count + picture : 1) * sizeof *run->preview);
    run->rngs = malloc(batch * sizeof *run->rngs);
    run->generation.pictures = calloc(batch, sizeof *run->generation.pictures);
    run->generation.count = request->size.batch;
    if (!run->latents || !run->scratch || !run->output || !run->preview || !run->rngs || !run->generation.pictures)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory for %d pictures of %d×%d", request->size.batch,
                       request->width, request->height);
    return NULL;
}

static br_status draw(br_run *run)
{
    const br_request *request = &run->request;
    BR_TRY(br_request_plan(request, run->pipeline->model, &run->plan));
    run->generation.steps = run->plan.steps;
    BR_TRY(allocate(run));
    BR_TRY(br_dump_begin(&run->dump));
    BR_TRY(br_pipeline_prepare(run->pipeline, &request->size));
    BR_TRY(br_run_start(run));
    BR_TRY(run_text(run));
    BR_TRY(br_run_denoise(run));
    return decode(run);
}

br_status br_draw_pictures(br_pipeline *pipeline, const br_generate_params *params, br_generation *out_generation)
{
    *out_generation = (br_generation){0};
    br_run run = {.pipeline = pipeline, .params = params};
    BR_TRY(br_request_resolve(pipeline->model, params, &run.request));
    run.channels = pipeline->model->vae.latent_channels;
    run.pixels = (int64_t)run.request.size.height * run.request.size.width;
    run.count = run.request.latent_count * run.request.size.batch;
    run.dump = (br_dump){.folder = params->dump_dir, .request = &run.request, .model = pipeline->model};
    run.generation = (br_generation){.width = run.request.width,
                                     .height = run.request.height,
                                     .guidance = run.request.guidance,
                                     .sampler = br_sampler_name(run.request.sampler)};
    br_status status = draw(&run);
    br_sampler_plan_finish(&run.plan);
    free(run.latents);
    free(run.scratch);
    free(run.output);
    free(run.preview);
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
