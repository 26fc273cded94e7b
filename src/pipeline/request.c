#include "pipeline/request.h"

#include <inttypes.h>
#include <math.h>

#include "base/clock.h"
#include "image/image.h"
#include "pipeline/prompts.h"

#define GUIDANCE_MAX 1000.0
/* As AUTOMATIC1111 has it; diffusers' 0.8 is hardly more. */
#define DEFAULT_STRENGTH 0.75
/* As in diffusers. */
#define DEFAULT_IMAGE_GUIDANCE 1.5
/* Diffusers' defaults for the SDXL refiner. */
#define AESTHETIC_SCORE 6.0
#define NEGATIVE_AESTHETIC_SCORE 2.5
/* Scores of the training pictures are 0 to 10. */
#define SCORE_MAX 1000.0

static br_status check_side(const br_model *model, const char *name, int value)
{
    int multiple = model->defaults.size_multiple;
    if (value < multiple || value > BR_REQUEST_SIDE_MAX || value % multiple)
        return br_fail(BR_ERROR_ARGUMENT, "%s is %d, expected a multiple of %d from %d to %d", name, value, multiple, multiple,
                       BR_REQUEST_SIDE_MAX / multiple * multiple);
    return NULL;
}

/* What pictures the model needs, and what it can do with those that there are. */
static br_status check_pictures(const br_model *model, const br_generate_params *params)
{
    const br_image *image = params->init_image, *mask = params->mask;
    br_model_task task = br_model_get_task(model);
    if (mask && !image)
        return br_fail(BR_ERROR_ARGUMENT, "there is a mask but no picture that it belongs to");
    if (task == BR_TASK_INPAINT && !mask)
        return br_fail(BR_ERROR_ARGUMENT,
                       "%s is an inpainting model: it needs a picture and a mask, brume inpaint -i PICTURE --mask MASK",
                       model->path);
    if (task == BR_TASK_EDIT && (!image || mask))
        return br_fail(BR_ERROR_ARGUMENT,
                       "%s edits pictures by instructions: it needs a picture and no mask, brume img2img -i PICTURE", model->path);
    for (int i = 0; i < 2; i++) {
        const br_image *it = i ? mask : image;
        if (it &&
            (it->width < 1 || it->height < 1 || it->width > BR_IMAGE_MAX_SIDE || it->height > BR_IMAGE_MAX_SIDE || !it->pixels))
            return br_fail(BR_ERROR_ARGUMENT, "%s is %dx%d, expected 1 to %d pixels a side", i ? "mask" : "picture", it->width,
                           it->height, BR_IMAGE_MAX_SIDE);
    }
    if (mask && (mask->width != image->width || mask->height != image->height))
        return br_fail(BR_ERROR_ARGUMENT, "mask is %dx%d, expected the picture's %dx%d", mask->width, mask->height, image->width,
                       image->height);
    return NULL;
}

static br_status resolve_strength(const br_model *model, const br_generate_params *params, br_request *request)
{
    br_model_task task = br_model_get_task(model);
    request->strength = 1;
    if (request->noisy) {
        if (params->strength != 0)
            return br_fail(BR_ERROR_ARGUMENT, "strength is %g, but denoising start says where to begin", params->strength);
        return NULL;
    }
    if ((!params->init_image && !params->init_latents) || task == BR_TASK_EDIT) {
        if (params->strength != 0)
            return br_fail(BR_ERROR_ARGUMENT, "strength is %g, but %s", params->strength,
                           params->init_image ? "this model begins with noise and follows the picture beside it"
                                              : "there is no picture to begin with");
        return NULL;
    }
    if (params->strength != 0)
        request->strength = params->strength;
    else if (!params->mask)
        request->strength = DEFAULT_STRENGTH;
    if (!(request->strength > 0 && request->strength <= 1))
        return br_fail(BR_ERROR_ARGUMENT, "strength is %g, expected above 0, at most 1", request->strength);
    int taken = (int)(request->steps * request->strength);
    if (taken < 1)
        return br_fail(BR_ERROR_ARGUMENT, "strength %g of %d steps leaves none, expected at least %.3g", request->strength,
                       request->steps, 1.0 / request->steps);
    request->begin = request->steps - taken;
    request->from_picture = !params->mask || request->strength < 1;
    return NULL;
}

static br_status resolve_guidance(const br_model *model, const br_generate_params *params, br_request *request)
{
    bool edits = br_model_get_task(model) == BR_TASK_EDIT;
    if (!isfinite(request->guidance) || request->guidance < 0 || request->guidance > GUIDANCE_MAX)
        return br_fail(BR_ERROR_ARGUMENT, "guidance is %g, expected 0 to %g", request->guidance, GUIDANCE_MAX);
    if (!(params->guidance_rescale >= 0 && params->guidance_rescale <= 1))
        return br_fail(BR_ERROR_ARGUMENT, "guidance rescale is %g, expected 0 to 1", params->guidance_rescale);
    if (params->image_guidance != 0 && !edits)
        return br_fail(BR_ERROR_ARGUMENT, "image guidance is %g, but %s does not follow a picture", params->image_guidance,
                       model->path);
    if (params->image_guidance != 0 && !(params->image_guidance >= 1 && params->image_guidance <= GUIDANCE_MAX))
        return br_fail(BR_ERROR_ARGUMENT, "image guidance is %g, expected 1 to %g", params->image_guidance, GUIDANCE_MAX);
    request->image_guidance = params->image_guidance != 0 ? params->image_guidance : DEFAULT_IMAGE_GUIDANCE;
    /* A UNet that takes the guidance as an input has it learnt. */
    bool guided = request->guidance != 1 && !model->unet.time_cond_proj_dim;
    request->size.copies = !guided ? 1 : edits ? 3 : 2;
    request->size.rescale = guided && params->guidance_rescale > 0;
    request->size.encodes = params->init_image != NULL;
    request->size.keep = params->mask && br_model_get_task(model) == BR_TASK_DRAW;
    request->guidance_rescale = params->guidance_rescale;
    return NULL;
}

/* The picture's own size, or less where that is more pixels than the model is used to. */
static void follow_picture(const br_model *model, const br_image *image, br_request *request)
{
    double multiple = model->defaults.size_multiple, pixels = (double)image->width * image->height;
    double most = (double)model->defaults.width * model->defaults.height;
    double scale = pixels > most ? sqrt(most / pixels) : 1;
    request->width = (int)(fmax(1, floor(image->width * scale / multiple)) * multiple);
    request->height = (int)(fmax(1, floor(image->height * scale / multiple)) * multiple);
}

static br_status resolve_size(const br_model *model, const br_generate_params *params, br_request *request)
{
    request->width = model->defaults.width;
    request->height = model->defaults.height;
    if (params->init_image)
        follow_picture(model, params->init_image, request);
    if (params->width)
        request->width = params->width;
    if (params->height)
        request->height = params->height;
    BR_TRY(check_side(model, "width", request->width));
    BR_TRY(check_side(model, "height", request->height));
    int batch = params->batch_size ? params->batch_size : 1;
    if (batch < 1 || batch > BR_REQUEST_BATCH_MAX)
        return br_fail(BR_ERROR_ARGUMENT, "batch size is %d, expected 1 to %d", batch, BR_REQUEST_BATCH_MAX);
    request->size.height = request->height / model->defaults.size_multiple;
    request->size.width = request->width / model->defaults.size_multiple;
    request->size.batch = batch;
    request->latent_count = (int64_t)model->vae.latent_channels * request->size.height * request->size.width;
    if (params->init_noise && params->init_noise_count != request->latent_count * batch)
        return br_fail(BR_ERROR_ARGUMENT, "initial noise has %" PRId64 " numbers, expected %d × [%d, %d, %d] = %" PRId64,
                       params->init_noise_count, batch, model->vae.latent_channels, request->size.height, request->size.width,
                       request->latent_count * batch);
    if (params->init_latents && params->init_latents_count != request->latent_count * batch)
        return br_fail(BR_ERROR_ARGUMENT, "initial latents have %" PRId64 " numbers, expected %d × [%d, %d, %d] = %" PRId64,
                       params->init_latents_count, batch, model->vae.latent_channels, request->size.height, request->size.width,
                       request->latent_count * batch);
    return NULL;
}

/* Whether both prompts can be encoded, before a device is opened for them, and how long they are. */
static br_status resolve_text(const br_model *model, const br_generate_params *params, br_request *request)
{
    br_prompts prompts;
    BR_TRY(br_prompts_init(
        &(br_prompts_params){.model = model, .text = {request->negative_prompt, request->prompt}, .literal = request->literal},
        &prompts));
    request->size.chunks = prompts.count;
    br_prompts_finish(&prompts);
    request->size.vectors = model->embeddings.vectors;
    request->size.clip_skip = params->clip_skip;
    for (int i = 0; i < BR_MODEL_TEXT_MAX; i++) {
        int layers = model->text[i].config.num_hidden_layers;
        if (br_model_has(model, (br_component)i) && (params->clip_skip < 0 || params->clip_skip > layers))
            return br_fail(BR_ERROR_ARGUMENT, "clip skip is %d, expected 1 to %d, the layers of %s", params->clip_skip, layers,
                           model->parts[i].name);
    }
    return NULL;
}

static br_status resolve_sizes(const br_generate_params *params, br_request *request)
{
    br_size_conditions sizes = {
        .original_width = params->original_width ? params->original_width : request->width,
        .original_height = params->original_height ? params->original_height : request->height,
        .crop_x = params->crop_x,
        .crop_y = params->crop_y,
        .target_width = params->target_width ? params->target_width : request->width,
        .target_height = params->target_height ? params->target_height : request->height,
        .aesthetic_score = params->aesthetic_score == 0 ? AESTHETIC_SCORE : params->aesthetic_score,
        .negative_aesthetic_score =
            params->negative_aesthetic_score == 0 ? NEGATIVE_AESTHETIC_SCORE : params->negative_aesthetic_score,
    };
    const int sides[] = {sizes.original_width, sizes.original_height, sizes.target_width,
                         sizes.target_height,  sizes.crop_x,          sizes.crop_y};
    for (int i = 0; i < 6; i++)
        if (sides[i] < (i < 4) || sides[i] > BR_REQUEST_SIDE_MAX)
            return br_fail(BR_ERROR_ARGUMENT, "%s is %d, expected %d to %d",
                           i < 2   ? "a side of the original size"
                           : i < 4 ? "a side of the target size"
                                   : "a corner of the crop",
                           sides[i], i < 4, BR_REQUEST_SIDE_MAX);
    if (!(fabs(sizes.aesthetic_score) <= SCORE_MAX) || !(fabs(sizes.negative_aesthetic_score) <= SCORE_MAX))
        return br_fail(BR_ERROR_ARGUMENT, "aesthetic scores are %g and %g, expected -%g to %g", sizes.aesthetic_score,
                       sizes.negative_aesthetic_score, SCORE_MAX, SCORE_MAX);
    request->sizes = sizes;
    return NULL;
}

static br_status check_noise(const br_generate_params *params)
{
    for (int64_t i = 0; params->init_noise && i < params->init_noise_count; i++)
        if (!isfinite(params->init_noise[i]))
            return br_fail(BR_ERROR_ARGUMENT, "initial noise: number %" PRId64 " is %g, expected finite numbers", i,
                           params->init_noise[i]);
    return NULL;
}

/* Latents in place of a picture, and where to begin and to end. */
static br_status check_latents(const br_model *model, const br_generate_params *params)
{
    const double parts[] = {params->denoising_start, params->denoising_end};
    for (int i = 0; i < 2; i++)
        if (!(parts[i] >= 0 && parts[i] < 1))
            return br_fail(BR_ERROR_ARGUMENT, "denoising %s is %g, expected above 0 and below 1", i ? "end" : "start", parts[i]);
    if (params->denoising_start > 0 && !params->init_latents)
        return br_fail(BR_ERROR_ARGUMENT, "denoising start is %g, but there are no latents that are as noisy",
                       params->denoising_start);
    if (params->mask && params->denoising_end > 0)
        return br_fail(BR_ERROR_ARGUMENT, "denoising end is %g, but what a mask keeps is kept to the end", params->denoising_end);
    if (params->denoising_start > 0 && params->init_noise)
        return br_fail(BR_ERROR_ARGUMENT, "denoising start is %g, so that no noise is added, but there is initial noise",
                       params->denoising_start);
    if (!params->init_latents)
        return NULL;
    if (params->init_image)
        return br_fail(BR_ERROR_ARGUMENT, "a picture and latents given to begin with, expected one of the two");
    if (br_model_get_task(model) != BR_TASK_DRAW)
        return br_fail(BR_ERROR_ARGUMENT, "latents given to begin with, but %s needs a picture", model->path);
    for (int64_t i = 0; i < params->init_latents_count; i++)
        if (!isfinite(params->init_latents[i]))
            return br_fail(BR_ERROR_ARGUMENT, "initial latents: number %" PRId64 " is %g, expected finite numbers", i,
                           params->init_latents[i]);
    return NULL;
}

/* Steps of all that begin above the noise level at `part` of the training timesteps, as diffusers counts for denoising_start and denoising_end. */
static br_status steps_before(const br_request *request, double part, int *out_steps)
{
    br_request whole = *request;
    whole.begin = whole.end = 0;
    br_sampler_plan plan;
    BR_TRY(br_request_plan(&whole, &plan));
    double timesteps = request->schedule->params.timesteps;
    *out_steps = br_sampler_plan_steps_from(&plan, rint(timesteps - part * timesteps));
    br_sampler_plan_finish(&plan);
    return NULL;
}

static br_status resolve_range(const br_generate_params *params, br_request *request)
{
    if (params->denoising_start > 0) {
        BR_TRY(steps_before(request, params->denoising_start, &request->begin));
        if (request->begin >= request->steps)
            return br_fail(BR_ERROR_ARGUMENT, "denoising start %g of %d steps leaves none", params->denoising_start,
                           request->steps);
    }
    if (params->denoising_end > 0) {
        BR_TRY(steps_before(request, params->denoising_end, &request->end));
        if (request->end <= request->begin)
            return br_fail(BR_ERROR_ARGUMENT, "denoising end %g of %d steps leaves none of those from number %d on",
                           params->denoising_end, request->steps, request->begin + 1);
    }
    return NULL;
}

br_status br_request_plan(const br_request *request, br_sampler_plan *out_plan)
{
    return br_sampler_plan_init(&(br_sampler_params){.schedule = request->schedule,
                                                     .sampler = request->sampler,
                                                     .sigmas = request->sigmas,
                                                     .steps = request->steps,
                                                     .begin = request->begin,
                                                     .end = request->end,
                                                     .eta = request->eta,
                                                     .s_noise = request->s_noise},
                                out_plan);
}

br_status br_request_resolve(const br_model *model, const br_generate_params *params, br_request *out_request)
{
    if (!params->prompt)
        return br_fail(BR_ERROR_ARGUMENT, "there is no prompt");
    br_request request = {
        .prompt = params->prompt,
        .negative_prompt = params->negative_prompt ? params->negative_prompt : "",
        .literal = params->literal_prompt,
        .zero_negative = model->force_zeros && !params->negative_prompt,
        .steps = params->steps ? params->steps : model->defaults.steps,
        .guidance = params->guidance == 0 ? model->defaults.guidance : params->guidance,
        .eta = params->eta,
        .s_noise = params->s_noise,
        .sampler = model->sampler,
        .sigmas = model->sigmas,
        .schedule = &model->schedule,
        .seed = params->seed,
        .cuda_noise = params->noise_source == BR_NOISE_CUDA,
        .image = params->init_image,
        .mask = params->mask,
        .latents = params->init_latents,
        .noisy = params->denoising_start > 0,
        .denoising_end = params->denoising_end,
    };
    BR_TRY(check_pictures(model, params));
    BR_TRY(check_latents(model, params));
    BR_TRY(resolve_guidance(model, params, &request));
    if (request.steps < 1 || request.steps > model->schedule.params.timesteps)
        return br_fail(BR_ERROR_ARGUMENT, "steps is %d, expected 1 to %d", request.steps, model->schedule.params.timesteps);
    BR_TRY(resolve_strength(model, params, &request));
    if (params->sampler)
        BR_TRY(br_sampler_from_name(params->sampler, &request.sampler));
    if (params->schedule)
        BR_TRY(br_sigmas_from_name(params->schedule, &request.sigmas));
    else if (params->sampler && request.sigmas > BR_SIGMAS_DISCRETE && !br_sampler_takes_sigmas(request.sampler))
        request.sigmas = BR_SIGMAS_DEFAULT;
    BR_TRY(resolve_range(params, &request));
    BR_TRY(resolve_size(model, params, &request));
    BR_TRY(resolve_text(model, params, &request));
    BR_TRY(resolve_sizes(params, &request));
    BR_TRY(check_noise(params));
    if (request.seed < 0)
        request.seed = br_clock_seed();
    /* The plan checks what belongs to the sampler: eta, s_noise, schedule, number of steps. */
    br_sampler_plan plan;
    BR_TRY(br_request_plan(&request, &plan));
    br_sampler_plan_finish(&plan);
    *out_request = request;
    return NULL;
}
