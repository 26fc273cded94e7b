#include "pipeline/request.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "brume/version.h"

static br_status check_side(const br_model *model, const char *name, int value)
{
    int multiple = model->defaults.size_multiple;
    if (value < multiple || value > BR_REQUEST_SIDE_MAX || value % multiple)
        return br_fail(BR_ERROR_ARGUMENT, "%s is %d, expected a multiple of %d from %d to %d", name, value, multiple, multiple,
                       BR_REQUEST_SIDE_MAX / multiple * multiple);
    return NULL;
}

static br_status resolve_size(const br_model *model, const br_generate_params *params, br_request *request)
{
    request->width = params->width ? params->width : model->defaults.width;
    request->height = params->height ? params->height : model->defaults.height;
    BR_TRY(check_side(model, "width", request->width));
    BR_TRY(check_side(model, "height", request->height));
    int batch = params->batch_size ? params->batch_size : 1;
    if (batch < 1 || batch > BR_REQUEST_BATCH_MAX)
        return br_fail(BR_ERROR_ARGUMENT, "batch size is %d, expected 1 to %d", batch, BR_REQUEST_BATCH_MAX);
    request->size = (br_picture_size){.height = request->height / model->defaults.size_multiple,
                                      .width = request->width / model->defaults.size_multiple,
                                      .batch = batch,
                                      .copies = request->guidance == 1 ? 1 : 2};
    request->latent_count = (int64_t)model->unet.in_channels * request->size.height * request->size.width;
    if (params->init_noise && params->init_noise_count != request->latent_count * batch)
        return br_fail(BR_ERROR_ARGUMENT, "initial noise has %" PRId64 " numbers, expected %d × [%d, %d, %d] = %" PRId64,
                       params->init_noise_count, batch, model->unet.in_channels, request->size.height, request->size.width,
                       request->latent_count * batch);
    return NULL;
}

/* Whether both prompts can be encoded, before a device is opened for them. */
static br_status check_prompts(const br_model *model, const br_request *request)
{
    const br_clip_bpe *tokenizer = model->text[BR_COMPONENT_TEXT].tokenizer;
    int32_t *ids = malloc((size_t)br_clip_bpe_length(tokenizer) * sizeof *ids);
    if (!ids)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory for the prompt");
    br_status status = br_status_prefix(br_clip_bpe_encode(tokenizer, request->prompt, ids, NULL), "prompt");
    if (!status)
        status = br_status_prefix(br_clip_bpe_encode(tokenizer, request->negative_prompt, ids, NULL), "negative prompt");
    free(ids);
    return status;
}

static br_status check_noise(const br_generate_params *params)
{
    for (int64_t i = 0; params->init_noise && i < params->init_noise_count; i++)
        if (!isfinite(params->init_noise[i]))
            return br_fail(BR_ERROR_ARGUMENT, "initial noise: number %" PRId64 " is %g, expected finite numbers", i,
                           params->init_noise[i]);
    return NULL;
}

br_status br_request_resolve(const br_model *model, const br_generate_params *params, br_request *out_request)
{
    if (!params->prompt)
        return br_fail(BR_ERROR_ARGUMENT, "there is no prompt");
    br_request request = {
        .prompt = params->prompt,
        .negative_prompt = params->negative_prompt ? params->negative_prompt : "",
        .steps = params->steps ? params->steps : model->defaults.steps,
        .guidance = params->guidance == 0 ? model->defaults.guidance : params->guidance,
        .eta = params->eta,
        .s_noise = params->s_noise,
        .sampler = model->sampler,
        .sigmas = model->sigmas,
        .seed = params->seed,
    };
    if (!isfinite(request.guidance) || request.guidance < 0 || request.guidance > 1000)
        return br_fail(BR_ERROR_ARGUMENT, "guidance is %g, expected 0 to 1000", request.guidance);
    if (request.steps < 1 || request.steps > model->schedule.params.timesteps)
        return br_fail(BR_ERROR_ARGUMENT, "steps is %d, expected 1 to %d", request.steps, model->schedule.params.timesteps);
    if (params->sampler)
        BR_TRY(br_sampler_from_name(params->sampler, &request.sampler));
    if (params->schedule)
        BR_TRY(br_sigmas_from_name(params->schedule, &request.sigmas));
    else if (params->sampler && request.sigmas > BR_SIGMAS_DISCRETE && !br_sampler_takes_sigmas(request.sampler))
        request.sigmas = BR_SIGMAS_DEFAULT;
    BR_TRY(check_prompts(model, &request));
    BR_TRY(resolve_size(model, params, &request));
    BR_TRY(check_noise(params));
    if (request.seed < 0)
        request.seed = br_clock_seed();
    /* The plan checks what belongs to the sampler: eta, s_noise, schedule, number of steps. */
    br_sampler_plan plan;
    BR_TRY(br_sampler_plan_init(&(br_sampler_params){.schedule = &model->schedule,
                                                     .sampler = request.sampler,
                                                     .sigmas = request.sigmas,
                                                     .steps = request.steps,
                                                     .eta = request.eta,
                                                     .s_noise = request.s_noise},
                                &plan));
    br_sampler_plan_finish(&plan);
    *out_request = request;
    return NULL;
}

char *br_request_parameters(const br_request *request, const br_model *model, int64_t seed)
{
    static const char format[] =
        "%s%s%s\nSteps: %d, Sampler: %s%s%s, CFG scale: %g, Seed: %" PRId64 ", Size: %dx%d, Model: %s, Version: brume %s";
    const char *negative = request->negative_prompt[0] ? "\nNegative prompt: " : "";
    const char *label = br_sigmas_label(request->sigmas), *schedule = label ? ", Schedule type: " : "";
    label = label ? label : "";
#define FIELDS                                                                                                                \
    request->prompt, negative, request->negative_prompt, request->steps, br_sampler_label(request->sampler), schedule, label, \
        request->guidance, seed, request->width, request->height, model->name, BR_VERSION
    int length = snprintf(NULL, 0, format, FIELDS);
    char *text = length < 0 ? NULL : malloc((size_t)length + 1);
    if (text)
        snprintf(text, (size_t)length + 1, format, FIELDS);
#undef FIELDS
    return text;
}
