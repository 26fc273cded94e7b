#include "pipeline/run.h"

#include <stdlib.h>

#include "base/clock.h"
#include "image/image.h"
#include "pipeline/conditioning.h"
#include "pipeline/draw.h"
#include "pipeline/layout.h"

br_status br_run_init(br_run *run)
{
    const br_request *request = &run->request;
    const br_generate_params *params = run->params;
    run->channels = run->pipeline->model->vae.latent_channels;
    run->pixels = (int64_t)request->size.height * request->size.width;
    run->count = request->latent_count * request->size.batch;
    run->dump = (br_dump){.folder = params->dump_dir, .request = request, .model = run->pipeline->model};
    run->generation = (br_generation){.width = request->width,
                                      .height = request->height,
                                      .guidance = request->guidance,
                                      .sampler = br_sampler_name(request->sampler)};
    BR_TRY(br_request_plan(request, &run->plan));
    run->generation.steps = run->plan.steps;
    size_t count = (size_t)run->count, picture = (size_t)BR_IMAGE_CHANNELS * (size_t)request->width * (size_t)request->height;
    run->latents = malloc(count * sizeof *run->latents);
    run->scratch = malloc(count * sizeof *run->scratch);
    run->output = malloc(((params->dump_dir || params->preview) ? (size_t)request->size.copies * count : 1) * sizeof *run->output);
    run->preview = malloc((params->preview ? (size_t)request->latent_count + picture : 1) * sizeof *run->preview);
    if (!run->latents || !run->scratch || !run->output || !run->preview)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory for %d pictures of %d×%d", request->size.batch,
                       request->width, request->height);
    return NULL;
}

void br_run_finish(br_run *run)
{
    br_sampler_plan_finish(&run->plan);
    free(run->latents);
    free(run->scratch);
    free(run->output);
    free(run->preview);
}

br_status br_run_text(br_run *run)
{
    BR_TRY(br_run_begin(run, "text", 1));
    int span = br_prof_begin(run->pipeline->profile, "text");
    BR_TRY(br_conditioning_write(run->pipeline, &run->request, &run->dump));
    br_prof_end(run->pipeline->profile, span);
    run->generation.text_seconds = br_clock_seconds() - run->began;
    return br_run_report(run, 1);
}

/* True to go on. */
static bool report_progress(const br_run *run)
{
    if (!run->params->progress)
        return true;
    double seconds = br_clock_seconds() - run->began;
    int step = run->step;
    br_progress progress = {.stage = run->stage,
                            .step = step,
                            .steps = run->steps,
                            .seconds = seconds,
                            .seconds_left = step > 0 ? seconds / step * (run->steps - step) : -1};
    return run->params->progress(run->params->progress_user, &progress);
}

br_status br_run_report(br_run *run, int step)
{
    run->step = step;
    BR_TRY(br_drawing_poll(run->pipeline->pending));
    if (!report_progress(run))
        return br_fail(BR_ERROR_CANCELLED, "interrupted at step %d of %d (%s)", step, run->steps, run->stage);
    return NULL;
}

br_status br_run_begin(br_run *run, const char *stage, int steps)
{
    run->stage = stage;
    run->steps = steps;
    run->began = br_clock_seconds();
    return br_run_report(run, 0);
}

bool br_run_should_stop(void *run)
{
    return !report_progress(run);
}

br_status br_run_write_planes(br_run *run, br_value value, const float *planes)
{
    int64_t one = run->request.latent_count;
    for (int i = 0; i < run->request.size.batch; i++)
        br_layout_to_channels_last(planes + i * one, run->channels, run->pixels, run->scratch + i * one);
    return br_stage_write_floats(&run->pipeline->denoise, value, run->scratch, run->count);
}

br_status br_run_read_latents(br_run *run)
{
    int64_t one = run->request.latent_count;
    BR_TRY(br_stage_read_floats(&run->pipeline->denoise, run->pipeline->denoise_values.x, run->scratch, run->count));
    for (int i = 0; i < run->request.size.batch; i++)
        br_layout_to_planes(run->scratch + i * one, run->channels, run->pixels, run->latents + i * one);
    return NULL;
}
