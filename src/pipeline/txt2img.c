#include "pipeline/txt2img.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/rng.h"
#include "common/abi.h"
#include "image/image.h"
#include "pipeline/conditioning.h"
#include "pipeline/dump.h"
#include "pipeline/layout.h"
#include "pipeline/request.h"

static_assert(BR_SAMPLER_HISTORY == BR_HISTORY_MAX, "the sampler's history and the step buffer's are one thing");

#define PREVIEW_EVERY 5

/* One run. Host copies are [B, C, h, w] planes unless named otherwise. */
typedef struct txt2img_run {
    br_pipeline *pipeline;
    const br_generate_params *params;
    br_request request;
    br_sampler_plan plan;
    br_dump dump;
    int64_t count;     /* floats of all pictures' latents */
    float *latents;    /* x; for previews as it was before the step */
    float *scratch;    /* [B, h, w, C] on its way to and from the device */
    float *output;     /* the model's output [copies · B, h, w, C]; only for dumps and previews */
    float *preview;    /* one picture's x_0 estimate [C, h, w], then the picture [3, H, W] */
    br_rng *rngs;      /* one a picture, so that a batch equals single runs */
    const char *stage; /* what progress is reported on */
    int step, steps;
    double began;
    br_generation generation;
} txt2img_run;

static bool wants_output(const txt2img_run *run)
{
    return run->params->dump_dir || run->params->preview;
}

/* True to go on. */
static bool report_progress(const txt2img_run *run)
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

static br_status report(txt2img_run *run, int step)
{
    run->step = step;
    if (!report_progress(run))
        return br_fail(BR_ERROR_CANCELLED, "interrupted at step %d of %d (%s)", step, run->steps, run->stage);
    return NULL;
}

static br_status begin(txt2img_run *run, const char *stage, int steps)
{
    run->stage = stage;
    run->steps = steps;
    run->began = br_clock_seconds();
    return report(run, 0);
}

/* Asked between the submissions of a long step. */
static bool should_stop(void *user)
{
    return !report_progress(user);
}

static br_status run_text(txt2img_run *run)
{
    BR_TRY(begin(run, "text", 1));
    int span = br_prof_begin(run->pipeline->profile, "text");
    BR_TRY(br_conditioning_write(run->pipeline, &run->request, &run->dump));
    br_prof_end(run->pipeline->profile, span);
    run->generation.text_seconds = br_clock_seconds() - run->began;
    return report(run, 1);
}

/* ---- noise and latents ---- */

static br_status write_planes(txt2img_run *run, br_value value, const float *planes)
{
    const br_request *request = &run->request;
    int channels = run->pipeline->model->unet.in_channels;
    int64_t pixels = (int64_t)request->size.height * request->size.width;
    for (int i = 0; i < request->size.batch; i++)
        br_layout_to_channels_last(planes + i * request->latent_count, channels, pixels, run->scratch + i * request->latent_count);
    return br_stage_write_floats(&run->pipeline->denoise, value, run->scratch, run->count);
}

static br_status read_latents(txt2img_run *run)
{
    const br_request *request = &run->request;
    int channels = run->pipeline->model->unet.in_channels;
    int64_t pixels = (int64_t)request->size.height * request->size.width;
    BR_TRY(br_stage_read_floats(&run->pipeline->denoise, run->pipeline->denoise_values.x, run->scratch, run->count));
    for (int i = 0; i < request->size.batch; i++)
        br_layout_to_planes(run->scratch + i * request->latent_count, channels, pixels, run->latents + i * request->latent_count);
    return NULL;
}

static br_status start_noise(txt2img_run *run)
{
    const br_request *request = &run->request;
    br_rng_kind kind = run->params->noise_source == BR_NOISE_CUDA ? BR_RNG_CUDA : BR_RNG_CPU;
    for (int i = 0; i < request->size.batch; i++) {
        br_rng_init(&run->rngs[i], kind, (uint64_t)(request->seed + i));
        float *noise = run->latents + i * request->latent_count;
        if (run->params->init_noise)
            memcpy(noise, run->params->init_noise + i * request->latent_count, (size_t)request->latent_count * sizeof *noise);
        else
            br_rng_normal(&run->rngs[i], noise, (size_t)request->latent_count);
        for (int64_t j = 0; j < request->latent_count; j++)
            noise[j] = (float)(noise[j] * run->plan.init_noise_sigma);
    }
    return write_planes(run, run->pipeline->denoise_values.x, run->latents);
}

static br_status write_step_noise(txt2img_run *run, float *planes)
{
    for (int i = 0; i < run->request.size.batch; i++)
        br_rng_normal(&run->rngs[i], planes + i * run->request.latent_count, (size_t)run->request.latent_count);
    return write_planes(run, run->pipeline->denoise_values.noise, planes);
}

/* ---- the loop ---- */

static br_status write_step(const txt2img_run *run, const br_sampler_step *evaluation)
{
    br_step step = {
        .timestep = (float)evaluation->timestep,
        .input_scale = (float)evaluation->input_scale,
        .guidance = (float)run->request.guidance,
        .x_scale = (float)evaluation->x_scale,
        .out_scale = (float)evaluation->out_scale,
        .noise_scale = (float)evaluation->noise_scale,
        .h_x = (float)evaluation->h_x,
        .h_out = (float)evaluation->h_out,
        .history_slot = evaluation->history_slot,
    };
    for (int i = 0; i < BR_HISTORY_MAX; i++)
        step.history_scale[i] = (float)evaluation->history_scale[i];
    return br_stage_write(&run->pipeline->denoise, run->pipeline->denoise_values.step, &step, sizeof step);
}

/* The x_0 that this evaluation believes in, decoded. run->latents is x before the step. */
static br_status show_preview(txt2img_run *run, const br_sampler_step *evaluation, int step)
{
    const br_request *request = &run->request;
    int channels = run->pipeline->model->unet.in_channels, batch = request->size.batch;
    int64_t pixels = (int64_t)request->size.height * request->size.width, count = request->latent_count;
    float *estimate = run->preview, *picture = run->preview + count;
    for (int i = 0; i < batch; i++) {
        const float *uncond = run->output + i * count, *cond = run->output + ((request->size.copies - 1) * batch + i) * count;
        for (int c = 0; c < channels; c++) {
            for (int64_t j = 0; j < pixels; j++) {
                double u = uncond[j * channels + c], out = u + request->guidance * (cond[j * channels + c] - u);
                if (request->size.copies == 1)
                    out = u;
                estimate[c * pixels + j] =
                    (float)(evaluation->x0_x * run->latents[i * count + c * pixels + j] + evaluation->x0_out * out);
            }
        }
        BR_TRY(br_pipeline_decode(run->pipeline, estimate, picture));
        int64_t size = (int64_t)BR_IMAGE_CHANNELS * request->width * request->height;
        for (int64_t j = 0; j < size; j++)
            picture[j] = 0.5f * picture[j] + 0.5f;
        br_image image;
        BR_TRY(
            br_image_from_planes(&(br_image_planes){.data = picture, .width = request->width, .height = request->height}, &image));
        run->params->preview(run->params->preview_user, step, i, &image);
        br_image_finish(&image);
    }
    return NULL;
}

static br_status run_evaluation(txt2img_run *run, int index, int step)
{
    br_pipeline *pipeline = run->pipeline;
    const br_sampler_step *evaluation = &run->plan.evaluations[index];
    int every = run->params->preview_every > 0 ? run->params->preview_every : PREVIEW_EVERY;
    bool preview = run->params->preview && evaluation->ends_step && step % every == 0 && step < run->plan.steps;
    if (evaluation->needs_noise)
        BR_TRY(write_step_noise(run, run->latents));
    if (preview)
        BR_TRY(read_latents(run));
    BR_TRY(write_step(run, evaluation));
    BR_TRY(br_stage_run_until(&pipeline->denoise, should_stop, run));
    if (run->params->dump_dir || preview) {
        BR_TRY(br_stage_read_floats(&pipeline->denoise, pipeline->denoise_values.out, run->output,
                                    run->request.size.copies * run->count));
        BR_TRY(br_dump_output(&run->dump, index, run->output));
    }
    return preview ? show_preview(run, evaluation, step) : NULL;
}

static br_status denoise(txt2img_run *run)
{
    int step = 0;
    BR_TRY(begin(run, "denoise", run->plan.steps));
    for (int i = 0; i < run->plan.evaluation_count; i++) {
        int span = br_prof_begin(run->pipeline->profile, "denoise step");
        BR_TRY(br_status_prefix(run_evaluation(run, i, step + 1), "step %d of %d", step + 1, run->plan.steps));
        br_prof_end(run->pipeline->profile, span);
        if (!run->plan.evaluations[i].ends_step)
            continue;
        step++;
        BR_TRY(report(run, step));
    }
    BR_TRY(read_latents(run));
    for (int64_t i = 0; i < run->count; i++)
        if (!isfinite(run->latents[i]))
            return br_fail(BR_ERROR_FORMAT,
                           "the latents are not finite after %d steps: the model's weights or this device's 16-bit floats "
                           "overflow; try --dtype f32",
                           run->plan.steps);
    run->generation.denoise_seconds = br_clock_seconds() - run->began;
    return br_dump_latents(&run->dump, run->latents);
}

/* ---- pictures ---- */

static br_status decode_picture(txt2img_run *run, int index, float *planes)
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

static br_status decode(txt2img_run *run)
{
    const br_request *request = &run->request;
    float *planes = malloc((size_t)BR_IMAGE_CHANNELS * (size_t)request->width * (size_t)request->height * sizeof *planes);
    if (!planes)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory for a picture of %d×%d", request->width, request->height);
    br_status status = begin(run, "decode", request->size.batch);
    for (int i = 0; i < request->size.batch && !status; i++) {
        int span = br_prof_begin(run->pipeline->profile, "decode");
        status = decode_picture(run, i, planes);
        br_prof_end(run->pipeline->profile, span);
        if (!status)
            status = report(run, i + 1);
    }
    free(planes);
    run->generation.decode_seconds = br_clock_seconds() - run->began;
    return status;
}

static br_status allocate(txt2img_run *run)
{
    const br_request *request = &run->request;
    size_t count = (size_t)run->count, batch = (size_t)request->size.batch;
    size_t picture = (size_t)BR_IMAGE_CHANNELS * (size_t)request->width * (size_t)request->height;
    run->latents = malloc(count * sizeof *run->latents);
    run->scratch = malloc(count * sizeof *run->scratch);
    run->output = malloc((wants_output(run) ? (size_t)request->size.copies * count : 1) * sizeof *run->output);
    run->preview = malloc((run->params->preview ? (size_t)request->latent_count + picture : 1) * sizeof *run->preview);
    run->rngs = malloc(batch * sizeof *run->rngs);
    run->generation.pictures = calloc(batch, sizeof *run->generation.pictures);
    run->generation.count = request->size.batch;
    if (!run->latents || !run->scratch || !run->output || !run->preview || !run->rngs || !run->generation.pictures)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory for %d pictures of %d×%d", request->size.batch,
                       request->width, request->height);
    return NULL;
}

static br_status draw(txt2img_run *run)
{
    const br_request *request = &run->request;
    BR_TRY(br_sampler_plan_init(&(br_sampler_params){.schedule = &run->pipeline->model->schedule,
                                                     .sampler = request->sampler,
                                                     .sigmas = request->sigmas,
                                                     .steps = request->steps,
                                                     .eta = request->eta,
                                                     .s_noise = request->s_noise},
                                &run->plan));
    BR_TRY(allocate(run));
    BR_TRY(br_dump_begin(&run->dump));
    BR_TRY(br_pipeline_prepare(run->pipeline, &request->size));
    BR_TRY(run_text(run));
    BR_TRY(start_noise(run));
    BR_TRY(denoise(run));
    return decode(run);
}

br_status br_txt2img(br_pipeline *pipeline, const br_generate_params *params, br_generation *out_generation)
{
    *out_generation = (br_generation){0};
    txt2img_run run = {.pipeline = pipeline, .params = params};
    BR_TRY(br_request_resolve(pipeline->model, params, &run.request));
    run.count = run.request.latent_count * run.request.size.batch;
    run.dump = (br_dump){.folder = params->dump_dir, .request = &run.request, .model = pipeline->model};
    run.generation = (br_generation){.steps = run.request.steps,
                                     .width = run.request.width,
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
