#include <math.h>
#include <stdlib.h>

#include "base/clock.h"
#include "common/abi.h"
#include "image/image.h"
#include "pipeline/run.h"

static_assert(BR_SAMPLER_HISTORY == BR_HISTORY_MAX, "the sampler's history and the step buffer's are one thing");

#define PREVIEW_EVERY 5

static br_status write_step_noise(br_run *run, float *planes)
{
    for (int i = 0; i < run->request.size.batch; i++)
        br_rng_normal(&run->rngs[i], planes + i * run->request.latent_count, (size_t)run->request.latent_count);
    return br_run_write_planes(run, run->pipeline->denoise_values.noise, planes);
}

static br_status write_step(const br_run *run, int index)
{
    const br_sampler_step *evaluation = &run->plan.evaluations[index];
    br_noise_level reached = br_sampler_plan_noise(&run->plan, index + 1);
    br_step step = {
        .timestep = (float)evaluation->timestep,
        .input_scale = (float)evaluation->input_scale,
        .guidance = (float)run->request.guidance,
        .image_guidance = (float)run->request.image_guidance,
        .guidance_rescale = (float)run->request.guidance_rescale,
        .keep_signal = (float)reached.signal,
        .keep_noise = (float)reached.noise,
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

/* The model's output for element `i` of the channels-last latents of all pictures, guided but not rescaled. */
static double guided_output(const br_run *run, int64_t i)
{
    double uncond = run->output[i], guidance = run->request.guidance;
    if (run->request.size.copies == 1)
        return uncond;
    double next = run->output[run->count + i];
    if (run->request.size.copies == 2)
        return uncond + guidance * (next - uncond);
    return uncond + guidance * (run->output[2 * run->count + i] - next) + run->request.image_guidance * (next - uncond);
}

/* The x_0 that this evaluation believes in, decoded. run->latents is x before the step. */
static br_status show_preview(br_run *run, const br_sampler_step *evaluation, int step)
{
    const br_request *request = &run->request;
    int64_t count = request->latent_count;
    float *estimate = run->preview, *picture = run->preview + count;
    for (int i = 0; i < request->size.batch; i++) {
        for (int c = 0; c < run->channels; c++)
            for (int64_t j = 0; j < run->pixels; j++) {
                double out = guided_output(run, i * count + j * run->channels + c);
                int64_t plane = c * run->pixels + j;
                estimate[plane] = (float)(evaluation->x0_x * run->latents[i * count + plane] + evaluation->x0_out * out);
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

static br_status run_evaluation(br_run *run, int index, int step)
{
    br_pipeline *pipeline = run->pipeline;
    const br_sampler_step *evaluation = &run->plan.evaluations[index];
    int every = run->params->preview_every > 0 ? run->params->preview_every : PREVIEW_EVERY;
    bool preview = run->params->preview && evaluation->ends_step && step % every == 0 && step < run->plan.steps;
    if (evaluation->needs_noise)
        BR_TRY(write_step_noise(run, run->latents));
    if (preview)
        BR_TRY(br_run_read_latents(run));
    BR_TRY(write_step(run, index));
    BR_TRY(br_stage_run_until(&pipeline->denoise, br_run_should_stop, run));
    if (run->params->dump_dir || preview) {
        BR_TRY(br_stage_read_floats(&pipeline->denoise, pipeline->denoise_values.out, run->output,
                                    run->request.size.copies * run->count));
        BR_TRY(br_dump_output(&run->dump, index, run->output));
    }
    return preview ? show_preview(run, evaluation, step) : NULL;
}

/* What a UNet that learnt guidance is told of it: the sinusoids of Kingma et al., "Variational Diffusion Models" (2021), as diffusers'
 * get_guidance_scale_embedding computes them of guidance - 1. */
static br_status write_guidance_embedding(const br_run *run)
{
    int dim = run->pipeline->model->unet.time_cond_proj_dim, half = dim / 2;
    float *embedding = calloc((size_t)dim, sizeof *embedding);
    if (!embedding)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory for the guidance embedding");
    double guidance = 1000 * (run->request.guidance - 1);
    for (int i = 0; i < half; i++) {
        double angle = guidance * exp(-log(10000.0) / (half - 1) * i);
        embedding[i] = (float)sin(angle);
        embedding[half + i] = (float)cos(angle);
    }
    br_status status = br_stage_write_floats(&run->pipeline->denoise, run->pipeline->denoise_values.timestep_cond, embedding, dim);
    free(embedding);
    return status;
}

br_status br_run_denoise(br_run *run)
{
    int step = 0;
    if (run->pipeline->model->unet.time_cond_proj_dim)
        BR_TRY(write_guidance_embedding(run));
    BR_TRY(br_run_begin(run, run->base ? "refine" : "denoise", run->plan.steps));
    for (int i = 0; i < run->plan.evaluation_count; i++) {
        int span = br_prof_begin(run->pipeline->profile, "denoise step");
        BR_TRY(br_status_prefix(run_evaluation(run, i, step + 1), "step %d of %d", step + 1, run->plan.steps));
        br_prof_end(run->pipeline->profile, span);
        if (!run->plan.evaluations[i].ends_step)
            continue;
        step++;
        BR_TRY(br_run_report(run, step));
    }
    BR_TRY(br_run_read_latents(run));
    for (int64_t i = 0; i < run->count; i++)
        if (!isfinite(run->latents[i]))
            return br_fail(BR_ERROR_FORMAT,
                           "the latents are not finite after %d steps: the model's weights or this device's 16-bit floats "
                           "overflow; try --dtype f32",
                           run->plan.steps);
    run->generation.denoise_seconds = br_clock_seconds() - run->began;
    return br_dump_latents(&run->dump, run->latents);
}
