/* CLIP's text encoder under the names of transformers (CLIPTextModel), of OpenCLIP (mlfoundations/open_clip, model.py), and of the mixtures of both that
 * stable-diffusion.cpp writes -> transformers'. */
#include <stdio.h>
#include <string.h>

#include "weights/names_part.h"

typedef struct text_rule {
    const char *from, *to;
    br_name_place place;
} text_rule;

/* Behind "transformer.resblocks.N." */
static const text_rule layer_rules[] = {
    {"attn.in_proj_weight", "self_attn.*_proj.weight", BR_NAME_FUSED},
    {"attn.in_proj_bias", "self_attn.*_proj.bias", BR_NAME_FUSED},
    {"attn.out_proj.weight", "self_attn.out_proj.weight", BR_NAME_PLACED},
    {"attn.out_proj.bias", "self_attn.out_proj.bias", BR_NAME_PLACED},
    {"ln_1.weight", "layer_norm1.weight", BR_NAME_PLACED},
    {"ln_1.bias", "layer_norm1.bias", BR_NAME_PLACED},
    {"ln_2.weight", "layer_norm2.weight", BR_NAME_PLACED},
    {"ln_2.bias", "layer_norm2.bias", BR_NAME_PLACED},
    {"mlp.c_fc.weight", "mlp.fc1.weight", BR_NAME_PLACED},
    {"mlp.c_fc.bias", "mlp.fc1.bias", BR_NAME_PLACED},
    {"mlp.c_proj.weight", "mlp.fc2.weight", BR_NAME_PLACED},
    {"mlp.c_proj.bias", "mlp.fc2.bias", BR_NAME_PLACED},
};

static const text_rule open_clip_rules[] = {
    {"token_embedding.weight", "text_model.embeddings.token_embedding.weight", BR_NAME_PLACED},
    {"positional_embedding", "text_model.embeddings.position_embedding.weight", BR_NAME_PLACED},
    {"ln_final.weight", "text_model.final_layer_norm.weight", BR_NAME_PLACED},
    {"ln_final.bias", "text_model.final_layer_norm.bias", BR_NAME_PLACED},
};

/* Shared by both. */
static const text_rule common_rules[] = {
    {"text_projection.weight", "text_projection.weight", BR_NAME_PLACED},
    {"text_projection", "text_projection.weight", BR_NAME_TRANSPOSED},
    {"text_model.text_projection", "text_projection.weight", BR_NAME_TRANSPOSED},
    {"logit_scale", "", BR_NAME_IGNORED},
    {"attn_mask", "", BR_NAME_IGNORED},
    {"text_model.embeddings.position_ids", "", BR_NAME_IGNORED},
    {"embeddings.position_ids", "", BR_NAME_IGNORED},
};

static br_name_place apply(const text_rule *rules, size_t count, const char *where, const char *name, char *out_name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(name, rules[i].from) == 0) {
            snprintf(out_name, BR_NAME_MAX, "%s%s", where, rules[i].to);
            return rules[i].place;
        }
    return BR_NAME_UNKNOWN;
}
#define APPLY(rules, where, name, out_name) apply(rules, sizeof rules / sizeof rules[0], where, name, out_name)

static br_name_place layer(const char *name, char *out_name)
{
    int number;
    char where[64];
    if (!br_name_number(&name, &number))
        return BR_NAME_UNKNOWN;
    snprintf(where, sizeof where, "text_model.encoder.layers.%d.", number);
    return APPLY(layer_rules, where, name, out_name);
}

/* transformers' names, in old files without "text_model."; stable-diffusion.cpp keeps OpenCLIP's fused projections as "self_attn.in_proj". */
static br_name_place transformers(const char *name, char *out_name)
{
    static const char *const kept[] = {"embeddings.token_embedding.weight", "embeddings.position_embedding.weight",
                                       "encoder.layers.", "final_layer_norm."};
    const char *rest = br_name_after(name, "text_model."), *fused;
    if (rest)
        name = rest;
    if ((rest = br_name_after(name, "encoder.layers.")) && (fused = strstr(rest, ".self_attn.in_proj."))) {
        snprintf(out_name, BR_NAME_MAX, "text_model.encoder.layers.%.*s.self_attn.*_proj.%s", (int)(fused - rest), rest,
                 fused + strlen(".self_attn.in_proj."));
        return BR_NAME_FUSED;
    }
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++)
        if (br_name_after(name, kept[i])) {
            snprintf(out_name, BR_NAME_MAX, "text_model.%s", name);
            return BR_NAME_PLACED;
        }
    return BR_NAME_UNKNOWN;
}

br_name_place br_name_of_text(const char *name, char *out_name, bool *out_open_clip)
{
    const char *rest = br_name_after(name, "model.");
    if (rest)
        name = rest;
    if (br_name_after(name, "visual.") || br_name_after(name, "vision_model."))
        return BR_NAME_IGNORED; /* CLIP's other half */
    if ((rest = br_name_after(name, "transformer.resblocks."))) {
        *out_open_clip = true;
        return layer(rest, out_name);
    }
    br_name_place place = APPLY(open_clip_rules, "", name, out_name);
    if (place != BR_NAME_UNKNOWN) {
        *out_open_clip = true;
        return place;
    }
    if ((rest = br_name_after(name, "transformer.")))
        name = rest;
    place = APPLY(common_rules, "", name, out_name);
    return place != BR_NAME_UNKNOWN ? place : transformers(name, out_name);
}
