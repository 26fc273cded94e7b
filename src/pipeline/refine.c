#include "pipeline/refine.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The noise below which SDXL's refiner was trained: the last 200 of 1000 timesteps. */
#define REFINER_START 0.8
/* Between alpha_bar of schedules that are written with different digits. */
#define ALPHA_TOLERANCE 1e-6

static bool same_levels(const br_schedule *a, const br_schedule *b)
{
    if (a->params.timesteps != b->params.timesteps)
        return false;
    for (int i = 0; i < a->params.timesteps; i++)
        if (fabs(a->alpha_bar[i] - b->alpha_bar[i]) > ALPHA_TOLERANCE)
            return false;
    return true;
}

/* Whether what one model leaves is what the other takes. TAESD's scale says nothing of the latents'. */
static br_status check_fit(const br_model *model, const br_model *refiner)
{
    const br_vae_config *a = &model->vae, *b = &refiner->vae;
    if (br_model_get_task(refiner) != BR_TASK_DRAW)
        return br_fail(BR_ERROR_UNSUPPORTED, "%s cannot refine: it needs a picture beside the latents", refiner->path);
    if (a->latent_channels != b->latent_channels || br_vae_factor(a) != br_vae_factor(b))
        return br_fail(BR_ERROR_UNSUPPORTED,
                       "%s cannot refine: its latents have %d channels of 1/%d the size, expected %d of 1/%d as those of %s",
                       refiner->path, b->latent_channels, br_vae_factor(b), a->latent_channels, br_vae_factor(a), model->path);
    if (!model->tiny_vae && !refiner->tiny_vae && (a->scaling_factor != b->scaling_factor || a->shift_factor != b->shift_factor))
        return br_fail(BR_ERROR_UNSUPPORTED, "%s cannot refine: its latents are scaled by %g, expected %g as those of %s",
                       refiner->path, b->scaling_factor, a->scaling_factor, model->path);
    if (!same_levels(&model->schedule, &refiner->schedule))
        return br_fail(BR_ERROR_UNSUPPORTED, "%s cannot refine: it was trained on other noise levels than %s", refiner->path,
                       model->path);
    return NULL;
}

static br_status check_params(const br_generate_params *params)
{
    if (!(params->refiner_start >= 0 && params->refiner_start < 1))
        return br_fail(BR_ERROR_ARGUMENT, "refiner start is %g, expected above 0 and below 1", params->refiner_start);
    if (params->denoising_end > 0)
        return br_fail(BR_ERROR_ARGUMENT, "denoising end is %g, but there is a refiner that goes on to the end",
                       params->denoising_end);
    if (params->mask)
        return br_fail(BR_ERROR_UNSUPPORTED, "a refiner changes all of a picture, but a mask says what to keep");
    return NULL;
}

br_status br_refinement_init(const br_model *model, const br_model *refiner, const br_generate_params *params, br_refinement *out)
{
    br_request base;
    BR_TRY(check_params(params));
    BR_TRY(check_fit(model, refiner));
    *out = (br_refinement){.base = *params, .params = *params, .schedule = model->schedule};
    out->base.denoising_end = params->refiner_start > 0 ? params->refiner_start : REFINER_START;
    BR_TRY(br_request_resolve(model, &out->base, &base));
    if (base.end >= base.steps)
        return br_fail(BR_ERROR_ARGUMENT, "refiner start %g of %d steps leaves the refiner none", out->base.denoising_end,
                       base.steps);
    out->base.seed = base.seed;
    out->params.width = base.width;
    out->params.height = base.height;
    out->params.steps = base.steps;
    out->params.guidance = base.guidance;
    out->params.sampler = br_sampler_name(base.sampler);
    out->params.schedule = br_sigmas_name(base.sigmas);
    out->params.seed = base.seed;
    out->params.strength = out->params.image_guidance = out->params.denoising_start = 0;
    out->params.init_image = NULL;
    out->params.init_noise = out->params.init_latents = NULL;
    out->params.refiner = NULL;
    BR_TRY(br_status_prefix(br_request_resolve(refiner, &out->params, &out->request), "refiner"));
    out->schedule.params.prediction = refiner->schedule.params.prediction;
    out->request.schedule = &out->schedule;
    out->request.begin = base.end;
    out->request.noisy = true;
    return NULL;
}

static br_status refine(br_run *run)
{
    br_run *base = run->base;
    BR_TRY(br_run_init(run));
    BR_TRY(br_dump_begin(&run->dump));
    BR_TRY(br_pipeline_prepare(run->pipeline, &run->request.size));
    BR_TRY(br_run_start(run));
    BR_TRY(br_run_text(run));
    BR_TRY(br_run_denoise(run));
    memcpy(base->latents, run->latents, (size_t)base->count * sizeof *base->latents);
    base->generation.steps += run->plan.steps;
    base->generation.text_seconds += run->generation.text_seconds;
    base->generation.denoise_seconds += run->generation.denoise_seconds;
    return NULL;
}

br_status br_run_refine(br_run *run)
{
    const br_refinement *refinement = run->refinement;
    br_generate_params params = refinement->params;
    br_run refiner = {
        .pipeline = run->params->refiner, .params = &params, .request = refinement->request, .base = run, .rngs = run->rngs};
    refiner.request.latents = run->latents;
    size_t length = params.dump_dir ? strlen(params.dump_dir) + sizeof "/refiner" : 0;
    char *folder = length ? malloc(length) : NULL;
    if (length && !folder)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory for the dump folder's name");
    if (folder)
        snprintf(folder, length, "%s/refiner", params.dump_dir);
    params.dump_dir = folder;
    br_status status = br_status_prefix(refine(&refiner), "refiner");
    br_run_finish(&refiner);
    free(folder);
    return status;
}
