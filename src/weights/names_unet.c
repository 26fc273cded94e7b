/* LDM's UNet (CompVis/latent-diffusion, ldm/modules/diffusionmodules/openaimodel.py) -> diffusers' UNet2DConditionModel. */
#include <stdio.h>
#include <string.h>

#include "weights/names_part.h"

typedef struct name_pair {
    const char *from, *to;
} name_pair;

static const name_pair resnet_names[] = {
    {"in_layers.0.", "norm1."},  {"in_layers.2.", "conv1."},  {"emb_layers.1.", "time_emb_proj."},
    {"out_layers.0.", "norm2."}, {"out_layers.3.", "conv2."}, {"skip_connection.", "conv_shortcut."},
};

static const name_pair plain_names[] = {
    {"time_embed.0.", "time_embedding.linear_1."},
    {"time_embed.2.", "time_embedding.linear_2."},
    {"time_embed.cond_proj.", "time_embedding.cond_proj."},
    {"label_emb.0.0.", "add_embedding.linear_1."},
    {"label_emb.0.2.", "add_embedding.linear_2."},
    {"label_emb.weight", "class_embedding.weight"},
    {"out.0.", "conv_norm_out."},
    {"out.2.", "conv_out."},
};

static const char *const diffusers_names[] = {"down_blocks.",    "mid_block.",     "up_blocks.",
                                              "conv_in.",        "conv_norm_out.", "conv_out.",
                                              "time_embedding.", "add_embedding.", "class_embedding."};

/* An index counts the residual blocks between two changes of size; files that leave numbers out (small distilled models in the numbering of
 * larger ones) are read all the same. */
void br_name_unet_scan(const br_weights *file, const char *prefix, br_name_unet *out_unet)
{
    *out_unet = (br_name_unet){{0}};
    for (int n = 1, block = 0, layer = 0; n < BR_NAME_BLOCK_MAX; n++) {
        out_unet->input_block[n] = block;
        out_unet->input_layer[n] = layer;
        if (br_name_has(file, "%sinput_blocks.%d.0.op.weight", prefix, n)) {
            block++;
            layer = 0;
        } else if (br_name_has(file, "%sinput_blocks.%d.0.in_layers.0.weight", prefix, n)) {
            layer++;
        }
    }
    for (int n = 0, block = 0, layer = 0; n < BR_NAME_BLOCK_MAX; n++) {
        out_unet->output_block[n] = block;
        out_unet->output_layer[n] = layer;
        if (br_name_has(file, "%soutput_blocks.%d.0.in_layers.0.weight", prefix, n))
            layer++;
        if (br_name_has(file, "%soutput_blocks.%d.1.conv.weight", prefix, n) ||
            br_name_has(file, "%soutput_blocks.%d.2.conv.weight", prefix, n)) {
            block++;
            layer = 0;
        }
    }
}

/* Behind "down_blocks.1.resnets.0." */
static br_name_place resnet(const char *where, const char *tail, char *out_name)
{
    for (size_t i = 0; i < sizeof resnet_names / sizeof resnet_names[0]; i++) {
        const char *rest = br_name_after(tail, resnet_names[i].from);
        if (rest) {
            snprintf(out_name, BR_NAME_MAX, "%s%s%s", where, resnet_names[i].to, rest);
            return BR_NAME_PLACED;
        }
    }
    return BR_NAME_UNKNOWN;
}

static bool is_attention(const char *tail)
{
    return br_name_after(tail, "norm.") || br_name_after(tail, "proj_in.") || br_name_after(tail, "proj_out.") ||
           br_name_after(tail, "transformer_blocks.");
}

/* What "3.1.norm.weight" behind "input_blocks." is a part of, in diffusers' numbers. */
typedef struct ldm_module {
    const char *side; /* "down" or "up" */
    int block, layer;
    int part;         /* 0: a residual block or a convolution, 1: a transformer */
    const char *name; /* behind the numbers */
} ldm_module;

static br_name_place layer_of_block(const ldm_module *it, char *out_name)
{
    char where[64];
    snprintf(where, sizeof where, "%s_blocks.%d.%s.%d.", it->side, it->block, it->part == 0 ? "resnets" : "attentions", it->layer);
    if (it->part == 0)
        return resnet(where, it->name, out_name);
    if (it->part != 1 || !is_attention(it->name))
        return BR_NAME_UNKNOWN;
    snprintf(out_name, BR_NAME_MAX, "%s%s", where, it->name);
    return BR_NAME_PLACED;
}

static br_name_place input_block(const br_name_unet *unet, const char *name, char *out_name)
{
    int n, part;
    if (!br_name_number(&name, &n) || !br_name_number(&name, &part))
        return BR_NAME_UNKNOWN;
    if (n == 0 && part == 0) {
        snprintf(out_name, BR_NAME_MAX, "conv_in.%s", name);
        return BR_NAME_PLACED;
    }
    const char *op = br_name_after(name, "op.");
    if (part == 0 && op) {
        snprintf(out_name, BR_NAME_MAX, "down_blocks.%d.downsamplers.0.conv.%s", unet->input_block[n], op);
        return BR_NAME_PLACED;
    }
    return layer_of_block(&(ldm_module){"down", unet->input_block[n], unet->input_layer[n], part, name}, out_name);
}

static br_name_place output_block(const br_name_unet *unet, const char *name, char *out_name)
{
    int n, part;
    if (!br_name_number(&name, &n) || !br_name_number(&name, &part))
        return BR_NAME_UNKNOWN;
    const char *conv = br_name_after(name, "conv.");
    if (part > 0 && conv) {
        snprintf(out_name, BR_NAME_MAX, "up_blocks.%d.upsamplers.0.conv.%s", unet->output_block[n], conv);
        return BR_NAME_PLACED;
    }
    return layer_of_block(&(ldm_module){"up", unet->output_block[n], unet->output_layer[n], part, name}, out_name);
}

static br_name_place middle_block(const char *name, char *out_name)
{
    int part;
    if (!br_name_number(&name, &part) || part > 2)
        return BR_NAME_UNKNOWN;
    if (part == 1 && is_attention(name)) {
        snprintf(out_name, BR_NAME_MAX, "mid_block.attentions.0.%s", name);
        return BR_NAME_PLACED;
    }
    return resnet(part == 0 ? "mid_block.resnets.0." : "mid_block.resnets.1.", name, out_name);
}

br_name_place br_name_of_unet(const br_name_unet *unet, const char *name, char *out_name)
{
    const char *rest;
    if ((rest = br_name_after(name, "input_blocks.")))
        return input_block(unet, rest, out_name);
    if ((rest = br_name_after(name, "output_blocks.")))
        return output_block(unet, rest, out_name);
    if ((rest = br_name_after(name, "middle_block.")))
        return middle_block(rest, out_name);
    for (size_t i = 0; i < sizeof plain_names / sizeof plain_names[0]; i++)
        if ((rest = br_name_after(name, plain_names[i].from))) {
            snprintf(out_name, BR_NAME_MAX, "%s%s", plain_names[i].to, rest);
            return BR_NAME_PLACED;
        }
    for (size_t i = 0; i < sizeof diffusers_names / sizeof diffusers_names[0]; i++)
        if (br_name_after(name, diffusers_names[i])) {
            snprintf(out_name, BR_NAME_MAX, "%s", name);
            return BR_NAME_PLACED;
        }
    return BR_NAME_UNKNOWN;
}
