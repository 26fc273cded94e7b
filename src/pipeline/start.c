#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "image/fit.h"
#include "pipeline/layout.h"
#include "pipeline/run.h"

/* From this grey on a mask is white, as diffusers has it. */
#define MASK_THRESHOLD 128

/* What the pictures of a request come to. Latents and noise are [B, C, h, w]. */
typedef struct start {
    br_run *run;
    br_model_task task;
    float *picture; /* owned, [3, H, W] in [-1, 1] */
    uint8_t *mask;  /* owned, [H, W]: 1 where the picture is painted anew */
    float *moments; /* owned, [2C, h, w]: of the picture's latents */
    float *masked;  /* owned, [2C, h, w]: of those of the picture without what is masked */
    float *noise;   /* owned: standard normal */
    float *known;   /* owned: the picture's latents, or those that were given */
    float *beside;  /* owned: what the UNet sees beside x, the masked picture's latents or the picture's */
    float *draw;    /* owned, [C, h, w]: what latents are drawn with */
} start;

static bool encodes_picture(const start *it)
{
    return it->run->request.from_picture || it->run->request.size.keep || it->task == BR_TASK_EDIT;
}

static void *claim(size_t count, size_t size, bool *failed)
{
    void *memory = calloc(count, size);
    *failed |= !memory;
    return memory;
}

static br_status allocate(start *it)
{
    const br_request *request = &it->run->request;
    size_t picture = (size_t)request->width * (size_t)request->height, latents = (size_t)request->latent_count;
    size_t count = (size_t)it->run->count;
    bool failed = false;
    it->noise = claim(count, sizeof *it->noise, &failed);
    if (request->image || request->latents)
        it->known = claim(count, sizeof *it->known, &failed);
    if (request->image) {
        it->picture = claim(BR_IMAGE_CHANNELS * picture, sizeof *it->picture, &failed);
        it->moments = claim(2 * latents, sizeof *it->moments, &failed);
        it->beside = claim(count, sizeof *it->beside, &failed);
        it->draw = claim(latents, sizeof *it->draw, &failed);
    }
    if (request->mask) {
        it->mask = claim(picture, sizeof *it->mask, &failed);
        it->masked = claim(2 * latents, sizeof *it->masked, &failed);
    }
    return failed
               ? br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory for pictures of %dx%d", request->width, request->height)
               : NULL;
}

static br_status load_picture(start *it)
{
    const br_request *request = &it->run->request;
    br_image fitted;
    BR_TRY(br_status_prefix(br_image_fit(request->image, request->width, request->height, &fitted), "picture"));
    br_image_to_planes(&fitted, it->picture);
    br_image_finish(&fitted);
    if (!request->mask)
        return NULL;
    BR_TRY(br_status_prefix(br_image_fit(request->mask, request->width, request->height, &fitted), "mask"));
    for (int64_t i = 0; i < (int64_t)request->width * request->height; i++) {
        /* Pillow's "L": ITU-R 601-2 luma in 16-bit fixed point. */
        const uint8_t *rgb = fitted.pixels + i * BR_IMAGE_CHANNELS;
        it->mask[i] = ((rgb[0] * 19595 + rgb[1] * 38470 + rgb[2] * 7471 + 0x8000) >> 16) >= MASK_THRESHOLD;
    }
    br_image_finish(&fitted);
    return NULL;
}

static br_status encode(start *it)
{
    br_run *run = it->run;
    const br_request *request = &run->request;
    int encoded = 0;
    BR_TRY(br_run_begin(run, "encode", encodes_picture(it) + (it->task == BR_TASK_INPAINT)));
    BR_TRY(load_picture(it));
    BR_TRY(br_pipeline_prepare_encode(run->pipeline, request->height, request->width));
    if (encodes_picture(it)) {
        BR_TRY(br_pipeline_encode(run->pipeline, it->picture, it->moments));
        BR_TRY(br_run_report(run, ++encoded));
    }
    if (it->task != BR_TASK_INPAINT)
        return NULL;
    int64_t pixels = (int64_t)request->width * request->height;
    for (int64_t i = 0; i < BR_IMAGE_CHANNELS * pixels; i++)
        if (it->mask[i % pixels])
            it->picture[i] = 0;
    BR_TRY(br_pipeline_encode(run->pipeline, it->picture, it->masked));
    return br_run_report(run, ++encoded);
}

/* Latents of one picture of the batch, drawn from their distribution with its generator. */
static void draw_latents(start *it, int index, const float *moments, float *out_latents)
{
    br_run *run = it->run;
    bool certain = run->pipeline->model->tiny_vae; /* nothing is drawn for it */
    if (!certain)
        br_rng_normal(&run->rngs[index], it->draw, (size_t)run->request.latent_count);
    br_pipeline_latents(run->pipeline, moments, certain ? NULL : it->draw, out_latents + index * run->request.latent_count);
}

/* Everything random, in the order in which diffusers' pipelines ask a picture's generator for it. */
static void draw_numbers(start *it, int index)
{
    br_run *run = it->run;
    size_t count = (size_t)run->request.latent_count;
    const float *given = run->params->init_noise;
    float *noise = it->noise + (size_t)index * count;
    if (!run->base) /* whose generators go on */
        br_rng_init(&run->rngs[index], run->request.cuda_noise ? BR_RNG_CUDA : BR_RNG_CPU, (uint64_t)(run->request.seed + index));
    if (run->request.latents)
        memcpy(it->known + (size_t)index * count, run->request.latents + (size_t)index * count, count * sizeof *it->known);
    else if (run->request.from_picture || run->request.size.keep)
        draw_latents(it, index, it->moments, it->known);
    if (run->request.noisy)
        return;
    if (given)
        memcpy(noise, given + (size_t)index * count, count * sizeof *noise);
    else
        br_rng_normal(&run->rngs[index], noise, count);
    if (it->task == BR_TASK_INPAINT)
        draw_latents(it, index, it->masked, it->beside);
    else if (run->request.size.keep &&
             !run->pipeline->model->tiny_vae) /* diffusers draws the masked picture's latents here too, and leaves them unused */
        br_rng_normal(&run->rngs[index], it->draw, count);
}

static br_status write_x(start *it)
{
    br_run *run = it->run;
    br_noise_level level = {.noise = run->plan.init_noise_sigma};
    if (run->request.noisy)
        level = (br_noise_level){.signal = 1};
    else if (run->request.from_picture)
        level = br_sampler_plan_noise(&run->plan, 0);
    for (int64_t i = 0; i < run->count; i++)
        run->latents[i] = (float)(level.noise * it->noise[i]) + (level.signal > 0 ? (float)(level.signal * it->known[i]) : 0);
    return br_run_write_planes(run, run->pipeline->denoise_values.x, run->latents);
}

/* Latent pixel i of the mask: the picture's pixel at its corner, as torch's nearest interpolation takes it. */
static float latent_mask(const start *it, int64_t i)
{
    const br_request *request = &it->run->request;
    int64_t factor = request->width / request->size.width, row = i / request->size.width, column = i % request->size.width;
    return it->mask[row * factor * request->width + column * factor];
}

/* What the UNet sees beside x, [copies · B, h, w, E], E channels: the mask and the latents of the masked picture for every copy; or the picture's latents,
 * which the first of three copies does without. */
static br_status write_beside(start *it)
{
    br_run *run = it->run;
    const br_picture_size *size = &run->request.size;
    int mask = it->task == BR_TASK_INPAINT, width = run->channels + mask;
    int64_t one = width * run->pixels, rows = (int64_t)size->copies * size->batch;
    float *values = calloc((size_t)(rows * one), sizeof *values);
    if (!values)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory for the picture's latents");
    for (int64_t row = size->copies == 3 ? size->batch : 0; row < rows; row++)
        for (int64_t i = 0; i < run->pixels; i++) {
            float *to = values + row * one + i * width;
            const float *from = it->beside + row % size->batch * run->request.latent_count + i;
            if (mask)
                *to++ = latent_mask(it, i);
            for (int c = 0; c < run->channels; c++)
                to[c] = from[c * run->pixels];
        }
    br_status status = br_stage_write_floats(&run->pipeline->denoise, run->pipeline->denoise_values.picture, values, rows * one);
    free(values);
    return status;
}

static br_status write_keep(start *it)
{
    br_run *run = it->run;
    const br_denoise_graph *values = &run->pipeline->denoise_values;
    int64_t count = run->pixels * run->request.size.batch;
    for (int64_t i = 0; i < count; i++)
        run->scratch[i] = latent_mask(it, i % run->pixels);
    BR_TRY(br_stage_write_floats(&run->pipeline->denoise, values->mask, run->scratch, count));
    BR_TRY(br_run_write_planes(run, values->known, it->known));
    return br_run_write_planes(run, values->known_noise, it->noise);
}

static br_status prepare(start *it)
{
    br_run *run = it->run;
    BR_TRY(allocate(it));
    if (run->request.image) {
        int span = br_prof_begin(run->pipeline->profile, "encode");
        BR_TRY(encode(it));
        br_prof_end(run->pipeline->profile, span);
    }
    for (int i = 0; i < run->request.size.batch; i++)
        draw_numbers(it, i);
    BR_TRY(write_x(it));
    if (it->task == BR_TASK_EDIT) /* the most likely latents, as they were before scaling */
        for (int64_t i = 0; i < run->count; i++)
            it->beside[i] = it->moments[i % run->request.latent_count];
    if (it->task != BR_TASK_DRAW)
        BR_TRY(write_beside(it));
    return run->request.size.keep ? write_keep(it) : NULL;
}

br_status br_run_start(br_run *run)
{
    start it = {.run = run, .task = br_model_get_task(run->pipeline->model)};
    br_status status = prepare(&it);
    free(it.picture);
    free(it.mask);
    free(it.moments);
    free(it.masked);
    free(it.noise);
    free(it.known);
    free(it.beside);
    free(it.draw);
    return status;
}
