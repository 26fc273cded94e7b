#include "pipeline/forward_strip.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/rng.h"
#include "diffusion/forward.h"
#include "image/image.h"
#include "image/resize.h"
#include "image/strip.h"

/* Where an SD schedule's SNR falls from thousands to a few thousandths. */
static const int default_timesteps[] = {0, 100, 300, 600, 999};
#define DEFAULT_TIMESTEP_COUNT ((int)(sizeof default_timesteps / sizeof default_timesteps[0]))
/* More tiles would be too small to look at. */
#define TIMESTEP_COUNT_MAX 16

typedef struct strip_run {
    br_pipeline *pipeline;
    const br_forward_params *params;
    int timesteps[TIMESTEP_COUNT_MAX];
    int count;
    int width, height; /* of a tile */
    int64_t seed;
    int64_t pixel_count;      /* floats of a picture */
    int64_t latent_count;     /* floats of x_t: latents, or the picture itself */
    float *picture;           /* [3, H, W] in [-1, 1] */
    float *x_0, *noise, *x_t; /* [latent_count] */
    br_image images[TIMESTEP_COUNT_MAX];
    double began;
} strip_run;

static br_status choose_timesteps(strip_run *strip)
{
    const br_forward_params *params = strip->params;
    int all = strip->pipeline->model->schedule.params.timesteps;
    if (params->timesteps && (params->timestep_count < 1 || params->timestep_count > TIMESTEP_COUNT_MAX))
        return br_fail(BR_ERROR_ARGUMENT, "%d timesteps, expected 1 to %d", params->timestep_count, TIMESTEP_COUNT_MAX);
    for (int i = 0; i < (params->timesteps ? params->timestep_count : DEFAULT_TIMESTEP_COUNT); i++) {
        int t = params->timesteps ? params->timesteps[i] : default_timesteps[i];
        if (t >= 0 && t < all)
            strip->timesteps[strip->count++] = t;
        else if (params->timesteps)
            return br_fail(BR_ERROR_ARGUMENT, "timestep %d, expected 0 to %d", t, all - 1);
    }
    return NULL;
}

static br_status report(const strip_run *strip, int step)
{
    if (!strip->params->progress)
        return NULL;
    double seconds = br_clock_seconds() - strip->began;
    br_progress progress = {.stage = "forward",
                            .step = step,
                            .steps = strip->count,
                            .seconds = seconds,
                            .seconds_left = step > 0 ? seconds / step * (strip->count - step) : -1};
    if (!strip->params->progress(strip->params->progress_user, &progress))
        return br_fail(BR_ERROR_CANCELLED, "interrupted at picture %d of %d", step, strip->count);
    return NULL;
}

static br_status load_picture(strip_run *strip)
{
    br_image scaled;
    BR_TRY(br_image_resize(strip->params->image,
                           &(br_resize_params){.width = strip->width, .height = strip->height, .filter = BR_RESIZE_LANCZOS},
                           &scaled));
    br_image_to_planes(&scaled, strip->picture);
    br_image_finish(&scaled);
    return NULL;
}

static br_status allocate(strip_run *strip)
{
    strip->picture = malloc((size_t)strip->pixel_count * sizeof *strip->picture);
    strip->x_0 = malloc((size_t)strip->latent_count * sizeof *strip->x_0);
    strip->noise = malloc((size_t)strip->latent_count * sizeof *strip->noise);
    strip->x_t = malloc((size_t)strip->latent_count * sizeof *strip->x_t);
    if (!strip->picture || !strip->x_0 || !strip->noise || !strip->x_t)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory for pictures of %d×%d", strip->width, strip->height);
    return NULL;
}

static br_status encode(strip_run *strip)
{
    float *moments = malloc(2 * (size_t)strip->latent_count * sizeof *moments);
    if (!moments)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory for pictures of %d×%d", strip->width, strip->height);
    br_status status = br_pipeline_encode(strip->pipeline, strip->picture, moments);
    if (!status)
        br_pipeline_latents(strip->pipeline, moments, NULL, strip->x_0);
    free(moments);
    return status;
}

static br_status prepare(strip_run *strip)
{
    br_pipeline *pipeline = strip->pipeline;
    BR_TRY(load_picture(strip));
    br_rng rng;
    br_rng_init(&rng, BR_RNG_CPU, (uint64_t)strip->seed);
    br_rng_normal(&rng, strip->noise, (size_t)strip->latent_count);
    if (strip->params->pixels) {
        for (int64_t i = 0; i < strip->latent_count; i++)
            strip->x_0[i] = strip->picture[i];
        return NULL;
    }
    int factor = pipeline->model->defaults.size_multiple;
    BR_TRY(br_pipeline_prepare_encode(pipeline, strip->height, strip->width));
    BR_TRY(encode(strip));
    return br_pipeline_prepare(
        pipeline, &(br_picture_size){.height = strip->height / factor, .width = strip->width / factor, .batch = 1, .copies = 2});
}

/* x_t as people see it: decoded, or as it is. */
static br_status show(strip_run *strip, int index)
{
    br_forward_scales scales;
    BR_TRY(br_forward_at(&strip->pipeline->model->schedule, strip->timesteps[index], &scales));
    br_forward_sample(scales, strip->x_0, strip->noise, (size_t)strip->latent_count, strip->x_t);
    const float *shown = strip->x_t;
    if (!strip->params->pixels) {
        BR_TRY(br_pipeline_decode(strip->pipeline, strip->x_t, strip->picture));
        shown = strip->picture;
    }
    for (int64_t i = 0; i < strip->pixel_count; i++)
        strip->picture[i] = 0.5f * shown[i] + 0.5f;
    return br_image_from_planes(&(br_image_planes){.data = strip->picture, .width = strip->width, .height = strip->height},
                                &strip->images[index]);
}

static br_status draw(strip_run *strip, br_image *out_image)
{
    BR_TRY(choose_timesteps(strip));
    BR_TRY(allocate(strip));
    BR_TRY(report(strip, 0));
    BR_TRY(prepare(strip));
    for (int i = 0; i < strip->count; i++) {
        BR_TRY(show(strip, i));
        BR_TRY(report(strip, i + 1));
    }
    const br_schedule *schedule = &strip->pipeline->model->schedule;
    char title[160];
    snprintf(title, sizeof title, "q(x_t | x_0) of %.60s, %s, noise seed %" PRId64, strip->pipeline->model->name,
             strip->params->pixels ? "pixels" : "latents shown through the decoder", strip->seed);
    return br_strip_draw(&(br_strip_params){.images = strip->images,
                                            .steps = strip->timesteps,
                                            .count = strip->count,
                                            .beta = schedule->beta,
                                            .alpha_bar = schedule->alpha_bar,
                                            .schedule_count = schedule->params.timesteps,
                                            .title = title},
                         out_image);
}

br_status br_forward_strip(br_pipeline *pipeline, const br_forward_params *params, br_image *out_image)
{
    *out_image = (br_image){0};
    const br_model *model = pipeline->model;
    strip_run strip = {.pipeline = pipeline,
                       .params = params,
                       .width = model->defaults.width,
                       .height = model->defaults.height,
                       .seed = params->seed < 0 ? br_clock_seed() : params->seed,
                       .began = br_clock_seconds()};
    int factor = model->defaults.size_multiple;
    strip.pixel_count = (int64_t)BR_IMAGE_CHANNELS * strip.width * strip.height;
    strip.latent_count =
        params->pixels ? strip.pixel_count : (int64_t)model->vae.latent_channels * (strip.width / factor) * (strip.height / factor);
    br_status status = draw(&strip, out_image);
    for (int i = 0; i < strip.count; i++)
        br_image_finish(&strip.images[i]);
    free(strip.picture);
    free(strip.x_0);
    free(strip.noise);
    free(strip.x_t);
    return status;
}
