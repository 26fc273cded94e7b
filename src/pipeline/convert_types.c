#include "pipeline/convert_types.h"

#include <string.h>

static const struct {
    const char *name;
    br_weight_dtype dtype;
} types[] = {
    {"f32", BR_WEIGHT_F32},   {"f16", BR_WEIGHT_F16},   {"bf16", BR_WEIGHT_BF16}, {"q8_0", BR_WEIGHT_Q8_0},
    {"q5_1", BR_WEIGHT_Q5_1}, {"q5_0", BR_WEIGHT_Q5_0}, {"q4_1", BR_WEIGHT_Q4_1}, {"q4_0", BR_WEIGHT_Q4_0},
    {"q6_k", BR_WEIGHT_Q6_K}, {"q5_k", BR_WEIGHT_Q5_K}, {"q4_k", BR_WEIGHT_Q4_K}, {"q3_k", BR_WEIGHT_Q3_K},
    {"q2_k", BR_WEIGHT_Q2_K},
};
#define TYPE_COUNT (int)(sizeof types / sizeof types[0])

const char *br_convert_type_name(int index)
{
    return index >= 0 && index < TYPE_COUNT ? types[index].name : NULL;
}

bool br_convert_type_named(const char *name, br_weight_dtype *out_dtype)
{
    for (int i = 0; i < TYPE_COUNT; i++)
        if (strcmp(types[i].name, name) == 0) {
            *out_dtype = types[i].dtype;
            return true;
        }
    return false;
}

static bool begins(const char *name, const char *prefix)
{
    return strncmp(name, prefix, strlen(prefix)) == 0;
}

static bool ends(const char *name, const char *suffix)
{
    size_t length = strlen(name), tail = strlen(suffix);
    return length >= tail && strcmp(name + length - tail, suffix) == 0;
}

/* As unused_tensors of stable-diffusion.cpp's src/model_loader.cpp, but for what Brume reads. */
bool br_convert_keeps(const char *name)
{
    static const char *const prefixes[] = {"model_ema.",
                                           "betas",
                                           "alphas_cumprod_prev",
                                           "sqrt_alphas_cumprod",
                                           "sqrt_one_minus_alphas_cumprod",
                                           "log_one_minus_alphas_cumprod",
                                           "sqrt_recip_alphas_cumprod",
                                           "sqrt_recipm1_alphas_cumprod",
                                           "posterior_",
                                           "embedding_manager",
                                           "denoiser.sigmas"};
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++)
        if (begins(name, prefixes[i]))
            return false;
    return !ends(name, ".position_ids") && !ends(name, ".logit_scale");
}

/* ---- patterns ---- */

/* Length of the piece of the pattern at `at`: "*", ".*", a character with its backslash, or a character. */
static size_t piece(const char *at)
{
    return at[0] == '.' && at[1] == '*' ? 2 : at[0] == '\\' && at[1] ? 2 : 1;
}

static bool is_any(const char *at)
{
    return at[0] == '*' || (at[0] == '.' && at[1] == '*');
}

/* Whether the rest of the pattern fits where `name` begins. A mismatch goes back to the last *, which then takes one character more. */
static bool fits(const char *pattern, const char *name)
{
    const char *retry = NULL, *retry_name = NULL;
    for (;;) {
        if (is_any(pattern)) {
            pattern += piece(pattern);
            retry = pattern;
            retry_name = name;
            continue;
        }
        if (!*pattern || (strcmp(pattern, "$") == 0 && !*name))
            return true;
        if (*name && (*pattern == '\\' && pattern[1] ? pattern[1] : *pattern) == *name) {
            pattern += piece(pattern);
            name++;
            continue;
        }
        if (!retry || !*retry_name)
            return false;
        pattern = retry;
        name = ++retry_name;
    }
}

bool br_convert_matches(const char *pattern, const char *name)
{
    if (*pattern == '^')
        return fits(pattern + 1, name);
    for (;; name++) {
        if (fits(pattern, name))
            return true;
        if (!*name)
            return false;
    }
}

/* ---- types ---- */

static bool is_float(br_weight_dtype dtype)
{
    return dtype <= BR_WEIGHT_F8_E5M2 || br_weight_dtype_block(dtype) > 1;
}

/* What is quantized: tensor_should_be_converted of stable-diffusion.cpp's src/model_loader.cpp, as far as Brume's families have such tensors; but
 * no vectors, which weigh nothing. */
static bool is_quantized(const br_tensor_view *tensor)
{
    static const char *const kept[] = {"time_embed.", "label_emb.", "embedding", "pos_embed"};
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++)
        if (strstr(tensor->name, kept[i]))
            return false;
    return tensor->rank >= 2 && !ends(tensor->name, ".bias") && !ends(tensor->name, ".scale");
}

static int64_t row_of(const br_tensor_view *tensor)
{
    return tensor->rank ? tensor->shape[tensor->rank - 1] : 1;
}

/* The type of a tensor that stays as it is, as near as the format has it. */
static br_status as_stored(br_weights_format format, const br_tensor_view *tensor, br_weight_dtype *out_dtype)
{
    *out_dtype = tensor->dtype;
    bool whole = row_of(tensor) % (int64_t)br_weight_dtype_block(tensor->dtype) == 0;
    bool wide = format == BR_FORMAT_GGUF && tensor->dtype == BR_WEIGHT_F64; /* it has the type, but ggml computes nothing with it */
    if (whole && !wide && br_weights_format_holds(format, tensor->dtype))
        return NULL;
    if (!is_float(tensor->dtype))
        return br_fail(BR_ERROR_UNSUPPORTED, "tensor \"%.200s\" is %s, which GGUF files do not have", tensor->name,
                       br_weight_dtype_name(tensor->dtype));
    *out_dtype = tensor->dtype == BR_WEIGHT_F64 ? BR_WEIGHT_F32 : BR_WEIGHT_F16;
    return NULL;
}

static const char *wanted_type(const br_convert_params *params, const char *name)
{
    for (int i = 0; i < params->rule_count; i++)
        if (br_convert_matches(params->rules[i].pattern, name))
            return params->rules[i].type;
    return params->type;
}

br_status br_convert_choose(const br_convert_params *params, br_weights_format format, const br_tensor_view *tensor,
                            br_convert_choice *out_choice)
{
    *out_choice = (br_convert_choice){0};
    BR_TRY(as_stored(format, tensor, &out_choice->dtype));
    const char *name = wanted_type(params, tensor->name);
    br_weight_dtype wanted;
    if (!name || !br_convert_type_named(name, &wanted) || !is_float(tensor->dtype))
        return NULL;
    int64_t row = row_of(tensor), block = (int64_t)br_weight_dtype_block(wanted);
    if (block == 1) {
        out_choice->dtype = wanted;
    } else if (is_quantized(tensor) && row % block == 0) {
        out_choice->dtype = wanted;
    } else if (is_quantized(tensor) && row % (int64_t)br_weight_dtype_block(BR_WEIGHT_Q8_0) == 0) {
        *out_choice = (br_convert_choice){.dtype = BR_WEIGHT_Q8_0, .fallback = true};
    } else if (tensor->rank >= 2 && out_choice->dtype == BR_WEIGHT_F32) {
        out_choice->dtype = BR_WEIGHT_F16;
    }
    return NULL;
}
