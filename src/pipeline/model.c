#include "pipeline/model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "diffusion/scheduler_config.h"
#include "image/image.h"
#include "models/config.h"
#include "pipeline/architecture.h"

/* What is drawn with when neither folder nor caller says: the usual settings of Stable Diffusion 1.x. */
#define DEFAULT_STEPS 25
#define DEFAULT_GUIDANCE 7.0
/* Of what is distilled, as its authors' examples and diffusers' LatentConsistencyModelPipeline have it. */
#define FEW_STEPS 4
#define LCM_GUIDANCE 8.5
/* As for requests. */
#define GUIDANCE_MAX 1000.0
/* Latent side when the UNet's config has no sample_size. */
#define DEFAULT_SAMPLE_SIZE 64

static void take_part(br_model *model, br_component component, const char *name, br_checkpoint_part *from)
{
    br_model_part *part = &model->parts[component];
    *part = (br_model_part){.name = name, .class_name = from->class_name, .path = from->weights_path, .weights = from->weights};
    from->class_name = from->weights_path = NULL;
    from->weights = NULL;
}

static void take_notes(br_model *model, br_checkpoint *checkpoint)
{
    model->format = checkpoint->format;
    model->family = checkpoint->family;
    model->odd = checkpoint->odd;
    model->odd_count = checkpoint->odd_count;
    checkpoint->family = NULL;
    checkpoint->odd = NULL;
    checkpoint->odd_count = 0;
}

static br_status check_text(const br_model *model, br_component component)
{
    const br_model_text *text = &model->text[component];
    const char *which = component == BR_COMPONENT_TEXT_2 ? "second text encoder" : "text encoder";
    int tokens = br_clip_bpe_vocab_size(text->tokenizer), length = br_clip_bpe_length(text->tokenizer);
    if (tokens > text->config.vocab_size)
        return br_fail(BR_ERROR_FORMAT, "%s: the tokenizer has %d tokens, expected at most the %s's vocab_size %d", model->path,
                       tokens, which, text->config.vocab_size);
    if (length != text->config.max_position_embeddings)
        return br_fail(BR_ERROR_UNSUPPORTED, "%s: the tokenizer makes %d tokens, expected the %s's max_position_embeddings %d",
                       model->path, length, which, text->config.max_position_embeddings);
    return NULL;
}

/* What the UNet takes besides the context: pooled text, and sizes (SDXL) or size and score (its refiner). */
static br_status check_addition(br_model *model)
{
    const br_unet_config *unet = &model->unet;
    if (!unet->addition_time_embed_dim)
        return NULL;
    const br_clip_text_config *text = &model->text[BR_COMPONENT_TEXT_2].config;
    if (!br_model_has(model, BR_COMPONENT_TEXT_2) || !text->with_projection)
        return br_fail(BR_ERROR_FORMAT,
                       "%s: the UNet takes pooled text, expected a text_encoder_2 of class CLIPTextModelWithProjection",
                       model->path);
    model->pooled = text->projection_dim;
    int rest = unet->addition_input_dim - model->pooled;
    model->time_ids = rest > 0 && rest % unet->addition_time_embed_dim == 0 ? rest / unet->addition_time_embed_dim : 0;
    if (model->time_ids != 5 && model->time_ids != 6)
        return br_fail(
            BR_ERROR_FORMAT,
            "%s: the UNet's projection_class_embeddings_input_dim is %d, expected text_encoder_2's projection_dim %d and 5 or 6 "
            "times addition_time_embed_dim %d",
            model->path, unet->addition_input_dim, model->pooled, unet->addition_time_embed_dim);
    return NULL;
}

/* The parts have to fit each other. */
static br_status check_fit(br_model *model)
{
    const char *path = model->path;
    int width = 0, length = 0;
    for (int i = 0; i < BR_MODEL_TEXT_MAX; i++) {
        const br_clip_text_config *text = &model->text[i].config;
        if (!model->text[i].tokenizer)
            continue;
        BR_TRY(check_text(model, (br_component)i));
        if (length && length != text->max_position_embeddings)
            return br_fail(BR_ERROR_UNSUPPORTED, "%s: the text encoders take %d and %d tokens, expected the same", path, length,
                           text->max_position_embeddings);
        length = text->max_position_embeddings;
        width += text->hidden_size;
    }
    if (model->unet.cross_attention_dim != width)
        return br_fail(BR_ERROR_FORMAT, "%s: the UNet's cross_attention_dim is %d, expected the text encoder's hidden_size %d%s",
                       path, model->unet.cross_attention_dim, width, br_model_has(model, BR_COMPONENT_TEXT_2) ? " in all" : "");
    int latent = model->vae.latent_channels, in = model->unet.in_channels;
    if (model->unet.out_channels != latent || (in != latent && in != 2 * latent && in != 2 * latent + 1))
        return br_fail(BR_ERROR_UNSUPPORTED,
                       "%s: the UNet has %d input and %d output channels, expected the VAE's latent_channels %d, or %d (a picture "
                       "beside them) or %d (a mask too) and %d",
                       path, in, model->unet.out_channels, latent, 2 * latent, 2 * latent + 1, latent);
    if (model->vae.in_channels != BR_IMAGE_CHANNELS || model->vae.out_channels != BR_IMAGE_CHANNELS)
        return br_fail(BR_ERROR_UNSUPPORTED, "%s: the VAE has %d input and %d output channels, expected %d for RGB", path,
                       model->vae.in_channels, model->vae.out_channels, BR_IMAGE_CHANNELS);
    return check_addition(model);
}

/* What a single file lacks, and components that the pipeline does not draw with. */
static br_status check_parts(const br_checkpoint *checkpoint)
{
    const char *missing = !checkpoint->vae.weights                                                   ? "VAE"
                          : !checkpoint->text_encoder.weights && !checkpoint->text_encoder_2.weights ? "text encoder"
                                                                                                     : NULL;
    if (missing)
        return br_fail(BR_ERROR_NOT_FOUND, "%s has no %s: give a model folder that has one with --config%s", checkpoint->path,
                       missing, checkpoint->vae.weights ? "" : ", or a VAE with --vae");
    if (strcmp(checkpoint->vae.class_name, "AutoencoderKL") != 0 && strcmp(checkpoint->vae.class_name, "AutoencoderTiny") != 0)
        return br_fail(BR_ERROR_UNSUPPORTED, "%s: vae is a %s, expected AutoencoderKL or AutoencoderTiny", checkpoint->path,
                       checkpoint->vae.class_name);
    return NULL;
}

/* As the pipelines of diffusers for SDXL are made: they alone have the setting, and it is on unless they are told otherwise. */
static br_status read_force_zeros(br_model *model, const br_checkpoint *checkpoint)
{
    model->force_zeros = model->pooled > 0;
    if (!checkpoint->index)
        return NULL;
    return br_json_bool(checkpoint->index, checkpoint->path, "force_zeros_for_empty_prompt", model->pooled > 0,
                        &model->force_zeros);
}

static br_status read_text(const br_checkpoint *checkpoint, br_component component, br_model *model)
{
    bool second = component == BR_COMPONENT_TEXT_2;
    const br_checkpoint_part *part = second ? &checkpoint->text_encoder_2 : &checkpoint->text_encoder;
    const char *folder = second ? checkpoint->tokenizer_2_path : checkpoint->tokenizer_path;
    br_model_text *text = &model->text[component];
    if (!br_model_has(model, component))
        return NULL;
    BR_TRY(br_clip_text_config_read(part->config, part->config_path, &text->config));
    text->config.with_projection = strcmp(model->parts[component].class_name, "CLIPTextModelWithProjection") == 0;
    if (folder)
        return br_clip_bpe_open(folder, &text->tokenizer);
    return br_clip_bpe_open_shipped(second ? checkpoint->tokenizer_2_pad : checkpoint->tokenizer_pad, &text->tokenizer);
}

static br_status read_vae(br_model *model, const br_checkpoint *checkpoint)
{
    const br_checkpoint_part *part = &checkpoint->vae;
    model->tiny_vae = strcmp(model->parts[BR_COMPONENT_VAE].class_name, "AutoencoderTiny") == 0;
    if (!model->tiny_vae)
        return br_vae_config_read(part->config, part->config_path, &model->vae);
    br_taesd_config *tiny = &model->taesd;
    BR_TRY(br_taesd_config_read(part->config, part->config_path, tiny));
    model->vae = (br_vae_config){.in_channels = tiny->in_channels,
                                 .out_channels = tiny->out_channels,
                                 .latent_channels = tiny->latent_channels,
                                 .block_count = tiny->stage_count,
                                 .scaling_factor = tiny->scaling_factor,
                                 .shift_factor = tiny->shift_factor};
    return NULL;
}

static br_status read_configs(br_model *model, const br_checkpoint *checkpoint)
{
    for (int i = 0; i < BR_MODEL_TEXT_MAX; i++)
        BR_TRY(read_text(checkpoint, (br_component)i, model));
    BR_TRY(br_unet_config_read(checkpoint->unet.config, checkpoint->unet.config_path, &model->unet));
    BR_TRY(read_vae(model, checkpoint));
    BR_TRY(br_scheduler_config_read(checkpoint->scheduler, checkpoint->scheduler_path, &model->log, &model->schedule,
                                    &model->sampler));
    BR_TRY(check_fit(model));
    return read_force_zeros(model, checkpoint);
}

/* Models distilled to a few steps without guidance (SD-Turbo, SDXL-Turbo): no others come with Euler steps on trailing timesteps of the plain noise
 * schedule. A single file brings no scheduler, so there its name has to tell. */
static bool is_turbo(br_model *model)
{
    br_schedule_params *schedule = &model->schedule.params;
    if (strcmp(model->format, "diffusers folder") != 0) {
        if (!strstr(model->name, "turbo"))
            return false;
        schedule->spacing = BR_SPACING_TRAILING;
        return true;
    }
    return (model->sampler == BR_SAMPLER_EULER || model->sampler == BR_SAMPLER_EULER_A) &&
           schedule->spacing == BR_SPACING_TRAILING && schedule->prediction == BR_PREDICTION_EPSILON &&
           !schedule->zero_terminal_snr;
}

static br_status read_defaults(br_model *model, const json_t *drawing)
{
    int factor = br_vae_factor(&model->vae);
    int height = (model->unet.sample_height ? model->unet.sample_height : DEFAULT_SAMPLE_SIZE) * factor;
    int width = (model->unet.sample_width ? model->unet.sample_width : DEFAULT_SAMPLE_SIZE) * factor;
    br_model_defaults defaults = {
        .width = width, .height = height, .size_multiple = factor, .steps = DEFAULT_STEPS, .guidance = DEFAULT_GUIDANCE};
    if (model->unet.time_cond_proj_dim) {
        defaults.steps = FEW_STEPS;
        defaults.guidance = LCM_GUIDANCE;
        model->sampler = BR_SAMPLER_LCM;
    } else if (is_turbo(model)) {
        defaults.steps = FEW_STEPS;
        defaults.guidance = 1;
    }
    if (drawing) {
        br_config config;
        char sampler[32], schedule[32];
        br_config_init(&config, drawing, "brume.json");
        defaults.steps = br_config_int(&config, "steps", 1, BR_SAMPLER_MAX_STEPS, defaults.steps);
        defaults.guidance = br_config_double(&config, "guidance", -HUGE_VAL, HUGE_VAL, defaults.guidance);
        defaults.width = br_config_int(&config, "width", factor, 1 << 14, width);
        defaults.height = br_config_int(&config, "height", factor, 1 << 14, height);
        br_config_string(&config, "sampler", br_sampler_name(model->sampler), sampler, sizeof sampler);
        br_config_string(&config, "schedule", "default", schedule, sizeof schedule);
        BR_TRY(br_config_finish(&config));
        if (!(defaults.guidance > 0 && defaults.guidance <= GUIDANCE_MAX))
            return br_fail(BR_ERROR_FORMAT, "brume.json: guidance is %g, expected above 0, at most %g", defaults.guidance,
                           GUIDANCE_MAX);
        BR_TRY(br_status_prefix(br_sampler_from_name(sampler, &model->sampler), "brume.json"));
        BR_TRY(br_status_prefix(br_sigmas_from_name(schedule, &model->sigmas), "brume.json"));
        if (defaults.width % factor || defaults.height % factor)
            return br_fail(BR_ERROR_FORMAT, "brume.json: size is %d×%d, expected multiples of %d", defaults.width, defaults.height,
                           factor);
    }
    defaults.sampler = br_sampler_name(model->sampler);
    defaults.schedule = br_sigmas_name(model->sigmas);
    model->defaults = defaults;
    return NULL;
}

/* Last part of a path, whatever slashes follow it. malloc'd. */
static char *base_name(const char *path)
{
    size_t end = strlen(path);
    while (end > 1 && path[end - 1] == '/')
        end--;
    size_t begin = end;
    while (begin > 0 && path[begin - 1] != '/')
        begin--;
    char *name = malloc(end - begin + 1);
    if (name) {
        memcpy(name, path + begin, end - begin);
        name[end - begin] = '\0';
    }
    return name;
}

/* Consumes `checkpoint`. */
static br_status load(br_checkpoint *checkpoint, const br_log *log, br_model **out_model)
{
    br_status status = NULL;
    br_model *model = calloc(1, sizeof *model);
    if (!model)
        BR_FAIL_GOTO(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory while opening %s", checkpoint->path);
    BR_TRY_GOTO(check_parts(checkpoint));
    model->log = *log;
    model->path = strdup(checkpoint->path);
    model->name = base_name(checkpoint->path);
    if (!model->path || !model->name)
        BR_FAIL_GOTO(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory while opening %s", checkpoint->path);
    take_notes(model, checkpoint);
    take_part(model, BR_COMPONENT_TEXT, "text_encoder", &checkpoint->text_encoder);
    take_part(model, BR_COMPONENT_TEXT_2, "text_encoder_2", &checkpoint->text_encoder_2);
    take_part(model, BR_COMPONENT_UNET, "unet", &checkpoint->unet);
    take_part(model, BR_COMPONENT_VAE, "vae", &checkpoint->vae);
    BR_TRY_GOTO(read_configs(model, checkpoint));
    BR_TRY_GOTO(br_status_prefix(read_defaults(model, checkpoint->drawing), "%s", checkpoint->path));
    br_checkpoint_finish(checkpoint);
    *out_model = model;
    return NULL;
fail:
    br_checkpoint_finish(checkpoint);
    br_model_unload(model);
    return status;
}

br_status br_model_load(const br_checkpoint_params *params, const br_log *log, br_model **out_model)
{
    *out_model = NULL;
    br_checkpoint checkpoint;
    BR_TRY(br_checkpoint_open(params, &checkpoint));
    BR_TRY(load(&checkpoint, log, out_model));
    if (params->vae_path && !((*out_model)->vae_name = base_name(params->vae_path))) {
        br_model_unload(*out_model);
        *out_model = NULL;
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory while opening %s", params->path);
    }
    return NULL;
}

br_status br_model_load_architecture(const char *name, const br_log *log, br_model **out_model)
{
    *out_model = NULL;
    br_checkpoint checkpoint;
    BR_TRY(br_architecture_checkpoint(name, &checkpoint));
    BR_TRY(load(&checkpoint, log, out_model));
    (*out_model)->weightless = true;
    return NULL;
}

void br_model_unload(br_model *model)
{
    if (!model)
        return;
    for (int i = 0; i < BR_COMPONENT_COUNT; i++) {
        free(model->parts[i].class_name);
        free(model->parts[i].path);
        br_weights_destroy(model->parts[i].weights);
    }
    for (int i = 0; i < BR_MODEL_TEXT_MAX; i++)
        br_clip_bpe_destroy(model->text[i].tokenizer);
    br_embeddings_finish(&model->embeddings);
    br_schedule_finish(&model->schedule);
    for (int i = 0; i < model->odd_count; i++)
        free(model->odd[i]);
    free(model->odd);
    free(model->family);
    free(model->path);
    free(model->name);
    free(model->vae_name);
    free(model);
}

br_status br_model_check_drawable(const br_model *model)
{
    return model->weightless
               ? br_fail(BR_ERROR_UNSUPPORTED, "%s is an architecture without weights: nothing can be drawn with it", model->name)
               : NULL;
}

br_model_task br_model_get_task(const br_model *model)
{
    int beside = model->unet.in_channels - model->vae.latent_channels;
    return beside == 0 ? BR_TASK_DRAW : beside == model->vae.latent_channels ? BR_TASK_EDIT : BR_TASK_INPAINT;
}

bool br_model_has(const br_model *model, br_component component)
{
    return model->parts[component].weights != NULL;
}

br_dtype br_model_stored_dtype(const br_model *model, br_component component)
{
    const br_weights *weights = model->parts[component].weights;
    for (int i = 0; i < br_weights_count(weights); i++) {
        const br_tensor_view *view = br_weights_at(weights, i);
        if (view->rank >= 2 && (view->dtype == BR_WEIGHT_F64 || view->dtype == BR_WEIGHT_F32 || view->dtype == BR_WEIGHT_BF16))
            return BR_F32;
    }
    return BR_F16;
}
