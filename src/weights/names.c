#include "weights/names.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "weights/names_part.h"

/* Names that are longer are nobody's; what a name becomes is at most this much longer. */
#define NAME_GROWTH 64

/* What stands before a part's names; the first that fits counts. */
static const struct {
    const char *text;
    br_named_part part;
} prefixes[] = {
    {"model.diffusion_model.", BR_NAMED_UNET},
    {"diffusion_model.", BR_NAMED_UNET},
    {"unet.", BR_NAMED_UNET},
    {"first_stage_model.", BR_NAMED_VAE},
    {"vae.", BR_NAMED_VAE},
    {"tae.", BR_NAMED_VAE},
    {"cond_stage_model.1.", BR_NAMED_TEXT_2},
    {"cond_stage_model.", BR_NAMED_TEXT},
    {"conditioner.embedders.0.open_clip.", BR_NAMED_TEXT},
    {"conditioner.embedders.0.", BR_NAMED_TEXT},
    {"conditioner.embedders.1.", BR_NAMED_TEXT_2},
    {"text_encoders.clip_l.", BR_NAMED_TEXT},
    {"text_encoders.clip_g.", BR_NAMED_TEXT_2},
    {"clip_l.", BR_NAMED_TEXT},
    {"clip_g.", BR_NAMED_TEXT_2},
    {"text_encoder_2.", BR_NAMED_TEXT_2},
    {"text_encoder.", BR_NAMED_TEXT},
    {"te2.", BR_NAMED_TEXT_2},
    {"te1.", BR_NAMED_TEXT},
    {"te.1.", BR_NAMED_TEXT_2},
    {"te.", BR_NAMED_TEXT},
};

/* First words of names that stand for themselves, in files of one part. */
static const struct {
    const char *text;
    br_named_part part;
} bare[] = {
    {"input_blocks.", BR_NAMED_UNET},   {"middle_block.", BR_NAMED_UNET},    {"output_blocks.", BR_NAMED_UNET},
    {"time_embed.", BR_NAMED_UNET},     {"label_emb.", BR_NAMED_UNET},       {"out.", BR_NAMED_UNET},
    {"down_blocks.", BR_NAMED_UNET},    {"mid_block.", BR_NAMED_UNET},       {"up_blocks.", BR_NAMED_UNET},
    {"conv_in.", BR_NAMED_UNET},        {"conv_norm_out.", BR_NAMED_UNET},   {"conv_out.", BR_NAMED_UNET},
    {"time_embedding.", BR_NAMED_UNET}, {"add_embedding.", BR_NAMED_UNET},   {"class_embedding.", BR_NAMED_UNET},
    {"encoder.", BR_NAMED_VAE},         {"decoder.", BR_NAMED_VAE},          {"quant_conv.", BR_NAMED_VAE},
    {"post_quant_conv.", BR_NAMED_VAE}, {"text_model.", BR_NAMED_TEXT},      {"text_projection", BR_NAMED_TEXT},
    {"transformer.", BR_NAMED_TEXT},    {"token_embedding.", BR_NAMED_TEXT}, {"positional_embedding", BR_NAMED_TEXT},
    {"ln_final.", BR_NAMED_TEXT},
};

/* Whole files' tensors that change nothing: LDM's noise schedule and training state. */
static const char *const ignored[] = {"betas",
                                      "alphas_cumprod",
                                      "alphas_cumprod_prev",
                                      "sqrt_alphas_cumprod",
                                      "logvar",
                                      "lvlb_weights",
                                      "scale_factor",
                                      "global_step",
                                      "denoiser.sigmas",
                                      "sqrt_one_minus_alphas_cumprod",
                                      "log_one_minus_alphas_cumprod",
                                      "sqrt_recip_alphas_cumprod",
                                      "sqrt_recipm1_alphas_cumprod",
                                      "posterior_variance",
                                      "posterior_log_variance_clipped",
                                      "posterior_mean_coef1",
                                      "posterior_mean_coef2",
                                      "logit_scale",
                                      "position_ids",
                                      "attn_mask"};

const char *br_name_after(const char *name, const char *prefix)
{
    size_t length = strlen(prefix);
    return strncmp(name, prefix, length) == 0 ? name + length : NULL;
}

bool br_name_number(const char **name, int *out_number)
{
    const char *at = *name;
    int number = 0;
    for (; *at >= '0' && *at <= '9' && number < BR_NAME_BLOCK_MAX; at++)
        number = number * 10 + (*at - '0');
    if (at == *name || *at != '.' || number >= BR_NAME_BLOCK_MAX)
        return false;
    *name = at + 1;
    *out_number = number;
    return true;
}

bool br_name_has(const br_weights *file, const char *format, ...)
{
    char name[BR_NAME_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(name, sizeof name, format, args);
    va_end(args);
    return br_weights_find(file, name);
}

/* ---- one file ---- */

typedef struct naming {
    const br_weights *file;
    br_names *names;
    br_name_unet unet;
    int up_blocks;
    bool taesd_decoder; /* numbers without anything before them: of the decoder */
} naming;

static void scan(naming *it)
{
    static const char *const unets[] = {"model.diffusion_model.", "diffusion_model.", "unet.", ""};
    static const char *const vaes[] = {"first_stage_model.", "vae.", ""};
    br_name_unet_scan(it->file, "", &it->unet);
    for (size_t i = 0; i < sizeof unets / sizeof unets[0]; i++)
        if (br_name_has(it->file, "%sinput_blocks.0.0.weight", unets[i])) {
            br_name_unet_scan(it->file, unets[i], &it->unet);
            break;
        }
    for (size_t i = 0; i < sizeof vaes / sizeof vaes[0] && !it->up_blocks; i++)
        it->up_blocks = br_name_vae_scan(it->file, vaes[i]);
    /* The encoder's first layer is a convolution, the decoder's a clamp. */
    it->taesd_decoder = !br_name_has(it->file, "0.weight");
}

static bool is_ignored(const char *name)
{
    if (br_name_after(name, "model_ema.") || br_name_after(name, "loss."))
        return true;
    for (size_t i = 0; i < sizeof ignored / sizeof ignored[0]; i++)
        if (strcmp(name, ignored[i]) == 0)
            return true;
    return false;
}

static br_name_place name_in(const naming *it, br_named_part part, const char *name, char *out_name)
{
    switch (part) {
    case BR_NAMED_UNET:
        return br_name_of_unet(&it->unet, name, out_name);
    case BR_NAMED_VAE:
        return br_name_of_vae(it->up_blocks, name, out_name);
    default:
        return br_name_of_text(name, out_name, &it->names->open_clip[part]);
    }
}

static br_name_place name_of(const naming *it, const char *name, br_named_part *out_part, char *out_name)
{
    if (strlen(name) > BR_NAME_MAX - NAME_GROWTH)
        return BR_NAME_UNKNOWN;
    if (is_ignored(name))
        return BR_NAME_IGNORED;
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
        const char *rest = br_name_after(name, prefixes[i].text);
        if (rest) {
            *out_part = prefixes[i].part;
            return name_in(it, *out_part, rest, out_name);
        }
    }
    for (size_t i = 0; i < sizeof bare / sizeof bare[0]; i++)
        if (br_name_after(name, bare[i].text)) {
            *out_part = bare[i].part;
            return name_in(it, *out_part, name, out_name);
        }
    *out_part = BR_NAMED_VAE;
    return name[0] >= '0' && name[0] <= '9' ? br_name_of_taesd(it->taesd_decoder, name, out_name) : BR_NAME_UNKNOWN;
}

/* ---- placing ---- */

static br_status place_fused(br_weights *weights, const br_tensor_view *view, char *name)
{
    char *which = strchr(name, '*');
    if (view->rank < 1 || view->shape[0] % 3 || view->size % 3 || view->count / 3 % br_weight_dtype_block(view->dtype)) {
        char shape[100];
        return br_fail(BR_ERROR_FORMAT, "%s: tensor \"%s\" is %s %s, expected three equal parts", view->file, view->name,
                       br_weight_dtype_name(view->dtype), br_weight_shape_text(view, shape, sizeof shape));
    }
    for (int i = 0; i < 3; i++) {
        br_tensor_view part = *view;
        *which = "qkv"[i];
        part.name = name;
        part.shape[0] /= 3;
        part.count /= 3;
        part.size /= 3;
        part.data = (const uint8_t *)view->data + (size_t)i * part.size;
        BR_TRY(br_weights_add(weights, &part));
    }
    return NULL;
}

/* A copy, [out, in]; types with blocks, which have no elements that could change places, as float32. */
static br_status place_transposed(br_weights *weights, const br_tensor_view *view, const char *name)
{
    br_tensor_view copy = *view;
    bool blocks = br_weight_dtype_block(view->dtype) > 1;
    if (blocks)
        copy.dtype = BR_WEIGHT_F32;
    size_t element = br_weight_dtype_size(copy.dtype);
    if (view->rank != 2)
        return br_fail(BR_ERROR_FORMAT, "%s: tensor \"%s\" has %d dimensions, expected 2", view->file, view->name, view->rank);
    size_t rows = (size_t)view->shape[0], columns = (size_t)view->shape[1];
    copy.name = name;
    copy.shape[0] = view->shape[1];
    copy.shape[1] = view->shape[0];
    copy.size = view->count * element;
    uint8_t *to = br_weights_alloc(weights, copy.size + 1);
    float *values = blocks ? malloc(view->count * sizeof *values + 1) : NULL;
    if (!to || (blocks && !values)) {
        free(values);
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "%s: out of host memory", view->file);
    }
    if (blocks)
        br_weight_to_f32(view, 0, view->count, values);
    const uint8_t *from = blocks ? (const uint8_t *)values : view->data;
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < columns; c++)
            memcpy(to + (c * rows + r) * element, from + (r * columns + c) * element, element);
    free(values);
    copy.data = to;
    return br_weights_add(weights, &copy);
}

/* A 1×1 convolution is a linear layer: [O, I, 1, 1] becomes [O, I] where diffusers has the latter. */
static void squeeze(br_tensor_view *view)
{
    bool attention = strstr(view->name, ".to_q.") || strstr(view->name, ".to_k.") || strstr(view->name, ".to_v.") ||
                     strstr(view->name, ".to_out.0.");
    while (attention && view->rank > 2 && view->shape[view->rank - 1] == 1)
        view->rank--;
}

static br_status place(const naming *it, br_named_part part, br_name_place how, const br_tensor_view *view, char *name)
{
    br_weights **weights = &it->names->parts[part];
    if (!*weights && !(*weights = br_weights_create()))
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "%s: out of host memory", view->file);
    if (how == BR_NAME_FUSED)
        return place_fused(*weights, view, name);
    if (how == BR_NAME_TRANSPOSED)
        return place_transposed(*weights, view, name);
    br_tensor_view renamed = *view;
    renamed.name = name;
    squeeze(&renamed);
    return br_weights_add(*weights, &renamed);
}

/* Marker tensors, and those under which the others would mean something else. */
static br_status take_marker(naming *it, const br_tensor_view *view, bool *out_taken)
{
    const char *name = view->name, *end = name + strlen(name);
    *out_taken = strcmp(name, "v_pred") == 0 || strcmp(name, "ztsnr") == 0;
    it->names->v_prediction |= strcmp(name, "v_pred") == 0;
    it->names->zero_snr |= strcmp(name, "ztsnr") == 0;
    if (strncmp(name, "edm_", 4) == 0)
        return br_fail(BR_ERROR_UNSUPPORTED, "%s: tensor \"%s\": models of the EDM formulation are not supported", view->file,
                       name);
    if (strcmp(name, "scaled_fp8") == 0 || (end - name > 13 && strcmp(end - 13, ".scale_weight") == 0))
        return br_fail(BR_ERROR_UNSUPPORTED, "%s: tensor \"%.200s\": weights with scales beside them are not supported", view->file,
                       name);
    return NULL;
}

static br_status place_all(naming *it)
{
    br_names *names = it->names;
    for (int i = 0; i < br_weights_count(it->file); i++) {
        const br_tensor_view *view = br_weights_at(it->file, i);
        char name[BR_NAME_MAX];
        br_named_part part = BR_NAMED_UNET;
        bool taken;
        BR_TRY(take_marker(it, view, &taken));
        if (taken)
            continue;
        br_name_place how = name_of(it, view->name, &part, name);
        if (how == BR_NAME_UNKNOWN)
            names->unplaced[names->unplaced_count++] = view->name;
        else if (how == BR_NAME_IGNORED)
            names->ignored_count++;
        else
            BR_TRY(place(it, part, how, view, name));
    }
    return NULL;
}

/* What the UNet's cross-attention is as wide as. */
static int64_t width_of(const br_weights *weights, const char *tail, int dimension)
{
    for (int i = 0; weights && i < br_weights_count(weights); i++) {
        const br_tensor_view *view = br_weights_at(weights, i);
        size_t length = strlen(view->name), end = strlen(tail);
        if (length >= end && strcmp(view->name + length - end, tail) == 0 && view->rank > dimension)
            return view->shape[dimension];
    }
    return 0;
}

/* The refiner's encoder stands where SD1 and SD2 have theirs, but it is the one that SDXL has second. */
static void find_refiner(br_names *names)
{
    if (!names->parts[BR_NAMED_TEXT] || names->parts[BR_NAMED_TEXT_2] || !names->parts[BR_NAMED_UNET] ||
        !br_weights_find(names->parts[BR_NAMED_UNET], "add_embedding.linear_1.weight") ||
        width_of(names->parts[BR_NAMED_UNET], ".attn2.to_k.weight", 1) !=
            width_of(names->parts[BR_NAMED_TEXT], "token_embedding.weight", 1))
        return;
    names->parts[BR_NAMED_TEXT_2] = names->parts[BR_NAMED_TEXT];
    names->open_clip[BR_NAMED_TEXT_2] = names->open_clip[BR_NAMED_TEXT];
    names->parts[BR_NAMED_TEXT] = NULL;
    names->open_clip[BR_NAMED_TEXT] = false;
}

br_status br_names_init(br_weights *file, br_names *out_names)
{
    br_status status = NULL;
    *out_names = (br_names){0};
    naming it = {.file = file, .names = out_names};
    out_names->unplaced = malloc(((size_t)br_weights_count(file) + 1) * sizeof *out_names->unplaced);
    if (!out_names->unplaced)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory for the names of a model");
    scan(&it);
    BR_TRY_GOTO(place_all(&it));
    for (int i = 0; i < BR_NAMED_PART_COUNT; i++)
        if (out_names->parts[i]) {
            BR_TRY_GOTO(br_weights_borrow(out_names->parts[i], file));
            BR_TRY_GOTO(br_weights_seal(out_names->parts[i]));
        }
    find_refiner(out_names);
    return NULL;
fail:
    br_names_finish(out_names);
    return status;
}

void br_names_finish(br_names *names)
{
    for (int i = 0; i < BR_NAMED_PART_COUNT; i++)
        br_weights_destroy(names->parts[i]);
    free(names->unplaced);
    *names = (br_names){0};
}
