#include "pipeline/draw.h"

#include <math.h>
#include <stdlib.h>

#include "base/clock.h"
#include "image/image.h"
#include "pipeline/parameters.h"
#include "pipeline/refine.h"

/* One call on its way. It points into itself and is not moved. */
struct br_drawing {
    br_run run;
    br_generate_params params; /* what it points to is borrowed */
    br_refinement refinement;  /* where there is a refiner */
    float *planes;             /* owned; one picture */
    int decoded;               /* pictures of the batch */
    bool beside;               /* they are decoded while the next call draws */
    bool under_way;            /* number `decoded` is in the decoder */
};

static const float *latents_of(const br_drawing *drawing)
{
    return drawing->run.latents + drawing->decoded * drawing->run.request.latent_count;
}

/* What could not begin is decoded when it is wanted, and says then what is wrong. */
static void begin_picture(br_drawing *drawing)
{
    if (!drawing->run.pipeline->decodes_beside)
        return;
    br_status status = br_pipeline_decode_begin(drawing->run.pipeline, latents_of(drawing));
    drawing->under_way = !status;
    br_status_free(status);
}

/* Waits for the next picture, or decodes it. */
static br_status take_picture(br_drawing *drawing)
{
    br_run *run = &drawing->run;
    const br_request *request = &run->request;
    int index = drawing->decoded;
    br_generated *generated = &run->generation.pictures[index];
    float *planes = drawing->planes;
    bool under_way = drawing->under_way;
    drawing->under_way = false;
    BR_TRY(under_way ? br_pipeline_decode_end(run->pipeline, latents_of(drawing), planes)
                     : br_pipeline_decode(run->pipeline, latents_of(drawing), planes));
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
    drawing->decoded++;
    return generated->parameters ? NULL : br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory for the parameters' text");
}

br_status br_drawing_poll(br_drawing *drawing)
{
    if (!drawing || !drawing->under_way || !br_stage_done(&drawing->run.pipeline->decode))
        return NULL;
    BR_TRY(take_picture(drawing));
    if (drawing->decoded < drawing->run.request.size.batch)
        begin_picture(drawing);
    return NULL;
}

/* All pictures that are not decoded yet. Nobody asks for the progress of what was to happen beside. */
static br_status decode_all(br_drawing *drawing)
{
    br_run *run = &drawing->run;
    int batch = run->request.size.batch;
    double began = br_clock_seconds();
    if (!drawing->beside)
        BR_TRY(br_run_begin(run, "decode", batch));
    while (drawing->decoded < batch) {
        int span = br_prof_begin(run->pipeline->profile, "decode");
        BR_TRY(take_picture(drawing));
        br_prof_end(run->pipeline->profile, span);
        if (!drawing->beside)
            BR_TRY(br_run_report(run, drawing->decoded));
    }
    run->generation.decode_seconds = br_clock_seconds() - began;
    return NULL;
}

void br_drawing_destroy(br_drawing *drawing)
{
    if (!drawing)
        return;
    br_run_finish(&drawing->run);
    free(drawing->run.rngs);
    br_generation_release(&drawing->run.generation);
    free(drawing->planes);
    free(drawing);
}

/* Hands out the pictures of the drawing before and forgets it, on failure too. */
static br_status end_pending(br_pipeline *pipeline, br_generation *out_generation)
{
    br_drawing *pending = pipeline->pending;
    if (!pending)
        return NULL;
    br_status status = decode_all(pending);
    pipeline->pending = NULL;
    if (!status) {
        *out_generation = pending->run.generation;
        pending->run.generation = (br_generation){0};
    }
    br_drawing_destroy(pending);
    return status;
}

static br_status init(br_drawing *drawing, br_pipeline *pipeline)
{
    br_run *run = &drawing->run;
    const br_generate_params *params = &drawing->params;
    run->pipeline = pipeline;
    run->params = params;
    if (params->refiner) {
        BR_TRY(br_refinement_init(pipeline->model, params->refiner->model, params, &drawing->refinement));
        run->refinement = &drawing->refinement;
        run->params = &drawing->refinement.base;
    }
    BR_TRY(br_request_resolve(pipeline->model, run->params, &run->request));
    const br_request *request = &run->request;
    BR_TRY(br_run_init(run));
    run->rngs = malloc((size_t)request->size.batch * sizeof *run->rngs);
    run->generation.pictures = calloc((size_t)request->size.batch, sizeof *run->generation.pictures);
    run->generation.count = request->size.batch;
    drawing->planes =
        malloc((size_t)BR_IMAGE_CHANNELS * (size_t)request->width * (size_t)request->height * sizeof *drawing->planes);
    if (!run->rngs || !run->generation.pictures || !drawing->planes)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory for %d pictures of %d×%d", request->size.batch,
                       request->width, request->height);
    return NULL;
}

/* Up to the finished latents. */
static br_status draw(br_drawing *drawing)
{
    br_run *run = &drawing->run;
    BR_TRY(br_dump_begin(&run->dump));
    BR_TRY(br_pipeline_prepare(run->pipeline, &run->request.size));
    BR_TRY(br_run_start(run));
    BR_TRY(br_run_text(run));
    BR_TRY(br_run_denoise(run));
    return run->refinement ? br_run_refine(run) : NULL;
}

br_status br_draw_next(br_pipeline *pipeline, const br_generate_params *params, br_generation *out_generation)
{
    *out_generation = (br_generation){0};
    br_status status = NULL;
    br_drawing *drawing = calloc(1, sizeof *drawing);
    if (!drawing)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory for a drawing");
    drawing->params = *params;
    BR_TRY_GOTO(init(drawing, pipeline));
    /* Previews go through the decoder too, and another size needs another one. */
    if (pipeline->pending && (params->preview || !br_pipeline_is_prepared(pipeline, &drawing->run.request.size)))
        BR_TRY_GOTO(decode_all(pipeline->pending));
    BR_TRY_GOTO(draw(drawing));
    BR_TRY_GOTO(end_pending(pipeline, out_generation));
    pipeline->pending = drawing;
    drawing->beside = pipeline->decodes_beside && !params->preview && !params->dump_dir;
    if (drawing->beside) {
        begin_picture(drawing);
        return NULL;
    }
    return out_generation->count ? NULL : end_pending(pipeline, out_generation);
fail:
    br_drawing_destroy(drawing);
    return status;
}

br_status br_draw_last(br_pipeline *pipeline, br_generation *out_generation)
{
    *out_generation = (br_generation){0};
    return end_pending(pipeline, out_generation);
}

br_status br_draw_pictures(br_pipeline *pipeline, const br_generate_params *params, br_generation *out_generation)
{
    BR_TRY(br_draw_next(pipeline, params, out_generation));
    return pipeline->pending ? br_draw_last(pipeline, out_generation) : NULL;
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
