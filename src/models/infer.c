#include "models/infer.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "models/infer_shape.h"

/* ComfyUI's boundary (comfy/supported_models.py, SD20): the standard deviation of one bias of SD2's UNet, which is 0.03 to 0.06 in models that predict
 * epsilon and 0.1 to 0.2 in those that predict v. */
#define V_PREDICTION_STATISTIC "up_blocks.3.attentions.2.transformer_blocks.0.norm1.bias"
#define V_PREDICTION_DEVIATION 0.09
#define STATISTIC_MAX 4096
/* Widths of the text that the families attend to. */
#define SD1_WIDTH 768
#define SD2_WIDTH 1024
#define REFINER_WIDTH 1280
/* Latent pixels the families were trained for. */
#define SAMPLE_SD 64
#define SAMPLE_SD2_V 96
#define SAMPLE_SDXL 128

const br_tensor_view *br_shape_find(const br_weights *weights, const char *format, ...)
{
    char name[200];
    va_list args;
    va_start(args, format);
    vsnprintf(name, sizeof name, format, args);
    va_end(args);
    return br_weights_find(weights, name);
}

br_status br_shape_need(const br_weights *weights, const char *file, const char *name, int dimension, int *out_size)
{
    const br_tensor_view *view = br_weights_find(weights, name);
    if (!view)
        return br_fail(BR_ERROR_FORMAT, "%s has no tensor for %s", file, name);
    if (view->rank <= dimension || view->shape[dimension] < 1 || view->shape[dimension] > BR_SHAPE_MAX) {
        char shape[100];
        return br_fail(BR_ERROR_FORMAT, "%s: the tensor for %s is %s, expected %d or more dimensions of 1 to %d", file, name,
                       br_weight_shape_text(view, shape, sizeof shape), dimension + 1, BR_SHAPE_MAX);
    }
    *out_size = (int)view->shape[dimension];
    return NULL;
}

br_status br_shape_json(json_t *config, const char *file, json_t **out_config)
{
    if (!config)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "%s: out of host memory", file);
    *out_config = config;
    return NULL;
}

/* ---- family ---- */

static bool predicts_v(const br_weights *unet)
{
    float values[STATISTIC_MAX];
    const br_tensor_view *view = br_weights_find(unet, V_PREDICTION_STATISTIC);
    if (!view || view->count == 0 || view->count > STATISTIC_MAX)
        return false;
    double sum = 0, squares = 0;
    br_weight_to_f32(view, 0, view->count, values);
    for (size_t i = 0; i < view->count; i++) {
        sum += (double)values[i];
        squares += (double)values[i] * (double)values[i];
    }
    double mean = sum / (double)view->count;
    return sqrt(fmax(0, squares / (double)view->count - mean * mean)) > V_PREDICTION_DEVIATION;
}

/* Width of the text that the first transformer of the UNet attends to; 0 when there is none. */
static int context_width(const br_weights *unet)
{
    for (int i = 0; i < br_weights_count(unet); i++) {
        const br_tensor_view *view = br_weights_at(unet, i);
        if (view->rank >= 2 && strstr(view->name, ".attn2.to_k.weight"))
            return (int)view->shape[1];
    }
    return 0;
}

br_status br_infer_family(const br_infer_family_params *params, br_inferred *out_inferred)
{
    const br_weights *unet = params->unet, *text = params->text;
    *out_inferred = (br_inferred){.prediction = "epsilon"};
    BR_TRY(br_shape_need(unet, params->file, "conv_in.weight", 1, &out_inferred->in_channels));
    BR_TRY(br_shape_need(unet, params->file, "conv_out.weight", 0, &out_inferred->latent_channels));
    int width = context_width(unet);
    const br_tensor_view *projection = br_shape_find(unet, "down_blocks.0.attentions.0.proj_in.weight");
    out_inferred->guidance_embedding = br_shape_find(unet, "time_embedding.cond_proj.weight");
    if (br_shape_find(unet, "add_embedding.linear_1.weight"))
        out_inferred->family = !text && (params->text_2 || width == REFINER_WIDTH) ? BR_FAMILY_SDXL_REFINER : BR_FAMILY_SDXL;
    else if (params->open_clip || width == SD2_WIDTH || (text && width != SD1_WIDTH && projection && projection->rank == 2))
        out_inferred->family = BR_FAMILY_SD2;
    /* SD2's inpainting models predict epsilon. */
    if (out_inferred->family == BR_FAMILY_SD2 && out_inferred->in_channels == out_inferred->latent_channels && predicts_v(unet))
        out_inferred->prediction = "v_prediction";
    return NULL;
}

char *br_inferred_name(const br_inferred *inferred, char *text, size_t size)
{
    static const char *const names[] = {"Stable Diffusion 1", "Stable Diffusion 2", "Stable Diffusion XL",
                                        "Stable Diffusion XL refiner"};
    int extra = inferred->in_channels - inferred->latent_channels;
    snprintf(text, size, "%s%s%s%s%s", names[inferred->family],
             extra == inferred->latent_channels       ? ", instruct-pix2pix"
             : extra == inferred->latent_channels + 1 ? ", inpainting"
                                                      : "",
             inferred->guidance_embedding ? ", LCM" : "",
             strcmp(inferred->prediction, "epsilon") == 0        ? ""
             : strcmp(inferred->prediction, "v_prediction") == 0 ? ", v-prediction"
                                                                 : ", sample prediction",
             inferred->zero_snr ? ", zero terminal SNR" : "");
    return text;
}

const char *br_inferred_pipeline(const br_inferred *inferred)
{
    static const char *const names[2][3] = {
        {"StableDiffusionPipeline", "StableDiffusionInstructPix2PixPipeline", "StableDiffusionInpaintPipeline"},
        {"StableDiffusionXLPipeline", "StableDiffusionXLInstructPix2PixPipeline", "StableDiffusionXLInpaintPipeline"},
    };
    int extra = inferred->in_channels - inferred->latent_channels;
    int kind = extra == inferred->latent_channels ? 1 : extra == inferred->latent_channels + 1 ? 2 : 0;
    if (inferred->family == BR_FAMILY_SDXL_REFINER)
        return "StableDiffusionXLImg2ImgPipeline";
    if (inferred->guidance_embedding && inferred->family == BR_FAMILY_SD1)
        return "LatentConsistencyModelPipeline";
    return names[inferred->family == BR_FAMILY_SDXL][kind];
}

/* ---- what goes with the family ---- */

int br_inferred_sample_size(const br_inferred *inferred)
{
    if (inferred->family == BR_FAMILY_SDXL || inferred->family == BR_FAMILY_SDXL_REFINER)
        return SAMPLE_SDXL;
    bool larger = inferred->family == BR_FAMILY_SD2 && strcmp(inferred->prediction, "v_prediction") == 0;
    return larger ? SAMPLE_SD2_V : SAMPLE_SD;
}

double br_inferred_scaling(const br_inferred *inferred)
{
    return inferred->family == BR_FAMILY_SDXL || inferred->family == BR_FAMILY_SDXL_REFINER ? 0.13025 : 0.18215;
}

/* scheduler_config.json of the repositories whose configurations from_single_file takes: stable-diffusion-v1-5, stable-diffusion-2-1,
 * stable-diffusion-xl-base-1.0; LCM_Dreamshaper_v7 for LCM. */
br_status br_infer_scheduler(const br_inferred *inferred, json_t **out_config)
{
    bool xl = inferred->family == BR_FAMILY_SDXL || inferred->family == BR_FAMILY_SDXL_REFINER;
    const char *name = inferred->guidance_embedding                              ? "LCMScheduler"
                       : xl                                                      ? "EulerDiscreteScheduler"
                       : inferred->zero_snr || inferred->family == BR_FAMILY_SD2 ? "DDIMScheduler"
                                                                                 : "PNDMScheduler";
    json_t *config = json_pack("{s:s, s:f, s:f, s:s, s:i, s:s, s:i}", "_class_name", name, "beta_start", 0.00085, "beta_end", 0.012,
                               "beta_schedule", "scaled_linear", "num_train_timesteps", 1000, "prediction_type",
                               inferred->prediction, "steps_offset", inferred->guidance_embedding ? 0 : 1);
    BR_TRY(br_shape_json(config, "scheduler", out_config));
    int failed = 0;
    if (inferred->zero_snr) {
        failed |= json_object_set_new(config, "rescale_betas_zero_snr", json_true());
        failed |= json_object_set_new(config, "timestep_spacing", json_string("trailing"));
    } else if (!inferred->guidance_embedding) {
        failed |= json_object_set_new(config, "timestep_spacing", json_string("leading"));
    }
    if (!xl && !inferred->guidance_embedding)
        failed |= json_object_set_new(config, "set_alpha_to_one", json_false());
    if (strcmp(name, "PNDMScheduler") == 0)
        failed |= json_object_set_new(config, "skip_prk_steps", json_true());
    if (failed) {
        json_decref(config);
        *out_config = NULL;
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory for a scheduler's configuration");
    }
    return NULL;
}

br_status br_infer_index(const br_inferred *inferred, json_t **out_index)
{
    json_t *index;
    if (inferred->family == BR_FAMILY_SDXL_REFINER)
        index = json_pack("{s:b, s:b}", "force_zeros_for_empty_prompt", false, "requires_aesthetics_score", true);
    else if (inferred->family == BR_FAMILY_SDXL)
        index = json_pack("{s:b}", "force_zeros_for_empty_prompt", true);
    else
        index = json_object();
    return br_shape_json(index, "model_index.json", out_index);
}
