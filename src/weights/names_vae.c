/* LDM's autoencoder (CompVis/latent-diffusion, ldm/modules/diffusionmodules/model.py) -> diffusers' AutoencoderKL; TAESD (madebyollin/taesd,
 * taesd.py) -> AutoencoderTiny. */
#include <stdio.h>
#include <string.h>

#include "weights/names_part.h"

/* Attention, as LDM and as diffusers before 0.17 named it; folders of that age are common. */
static const struct {
    const char *from, *to;
} attention_names[] = {
    {"norm.", "group_norm."},
    {"q.", "to_q."},
    {"k.", "to_k."},
    {"v.", "to_v."},
    {"query.", "to_q."},
    {"key.", "to_k."},
    {"value.", "to_v."},
    {"proj_attn.", "to_out.0."},
    {"proj_out.", "to_out.0."},
    {"to_q.", "to_q."},
    {"to_k.", "to_k."},
    {"to_v.", "to_v."},
    {"to_out.0.", "to_out.0."},
    {"group_norm.", "group_norm."},
};

int br_name_vae_scan(const br_weights *file, const char *prefix)
{
    int count = 0;
    while (count < BR_NAME_BLOCK_MAX && br_name_has(file, "%sdecoder.up.%d.block.0.norm1.weight", prefix, count))
        count++;
    return count;
}

static br_name_place place(char *out_name, const char *half, const char *where, const char *rest)
{
    int length = snprintf(out_name, BR_NAME_MAX, "%s.%s%s", half, where, rest);
    return length > 0 && length < BR_NAME_MAX ? BR_NAME_PLACED : BR_NAME_UNKNOWN;
}

static br_name_place attention(const char *half, const char *tail, char *out_name)
{
    char where[64];
    for (size_t i = 0; i < sizeof attention_names / sizeof attention_names[0]; i++) {
        const char *rest = br_name_after(tail, attention_names[i].from);
        if (rest) {
            snprintf(where, sizeof where, "mid_block.attentions.0.%s", attention_names[i].to);
            return place(out_name, half, where, rest);
        }
    }
    return BR_NAME_UNKNOWN;
}

static br_name_place resnet(const char *half, const char *where, const char *tail, char *out_name)
{
    static const char *const kept[] = {"norm1.", "conv1.", "norm2.", "conv2.", "conv_shortcut."};
    char name[BR_NAME_MAX];
    const char *rest = br_name_after(tail, "nin_shortcut.");
    snprintf(name, sizeof name, "%s%s", rest ? "conv_shortcut." : "", rest ? rest : tail);
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++)
        if (br_name_after(name, kept[i]))
            return place(out_name, half, where, name);
    return BR_NAME_UNKNOWN;
}

/* "1.block.0.conv1.weight", "1.upsample.conv.weight" behind "down." or "up.". */
static br_name_place level(const char *half, int up_blocks, const char *name, char *out_name)
{
    bool up = up_blocks > 0;
    int block, layer;
    char where[64];
    const char *rest;
    if (!br_name_number(&name, &block) || (up && block >= up_blocks))
        return BR_NAME_UNKNOWN;
    if (up)
        block = up_blocks - 1 - block;
    const char *blocks = up ? "up_blocks" : "down_blocks";
    if ((rest = br_name_after(name, up ? "upsample.conv." : "downsample.conv."))) {
        snprintf(where, sizeof where, "%s.%d.%s.0.conv.", blocks, block, up ? "upsamplers" : "downsamplers");
        return place(out_name, half, where, rest);
    }
    if (!(rest = br_name_after(name, "block.")) || !br_name_number(&rest, &layer))
        return BR_NAME_UNKNOWN;
    snprintf(where, sizeof where, "%s.%d.resnets.%d.", blocks, block, layer);
    return resnet(half, where, rest, out_name);
}

static br_name_place half_of_vae(const char *half, int up_blocks, const char *name, char *out_name)
{
    const char *rest;
    if (br_name_after(name, "conv_in.") || br_name_after(name, "conv_out.") || br_name_after(name, "conv_norm_out.") ||
        br_name_after(name, "down_blocks.") || br_name_after(name, "up_blocks.") || br_name_after(name, "mid_block.resnets."))
        return place(out_name, half, "", name);
    if ((rest = br_name_after(name, "layers.")))
        return place(out_name, half, "layers.", rest);
    if ((rest = br_name_after(name, "norm_out.")))
        return place(out_name, half, "conv_norm_out.", rest);
    if ((rest = br_name_after(name, "mid.block_1.")))
        return resnet(half, "mid_block.resnets.0.", rest, out_name);
    if ((rest = br_name_after(name, "mid.block_2.")))
        return resnet(half, "mid_block.resnets.1.", rest, out_name);
    if ((rest = br_name_after(name, "mid.attn_1.")) || (rest = br_name_after(name, "mid_block.attentions.0.")))
        return attention(half, rest, out_name);
    if ((rest = br_name_after(name, "down.")))
        return level(half, 0, rest, out_name);
    if ((rest = br_name_after(name, "up.")) && up_blocks)
        return level(half, up_blocks, rest, out_name);
    if (name[0] >= '0' && name[0] <= '9')
        return br_name_of_taesd(strcmp(half, "decoder") == 0, name, out_name);
    return BR_NAME_UNKNOWN;
}

br_name_place br_name_of_vae(int up_blocks, const char *name, char *out_name)
{
    const char *rest;
    if ((rest = br_name_after(name, "encoder.")))
        return half_of_vae("encoder", up_blocks, rest, out_name);
    if ((rest = br_name_after(name, "decoder.")))
        return half_of_vae("decoder", up_blocks, rest, out_name);
    if (br_name_after(name, "quant_conv.") || br_name_after(name, "post_quant_conv.")) {
        snprintf(out_name, BR_NAME_MAX, "%s", name);
        return BR_NAME_PLACED;
    }
    return br_name_after(name, "loss.") || br_name_after(name, "model_ema.") ? BR_NAME_IGNORED : BR_NAME_UNKNOWN;
}

/* TAESD's decoder begins with a clamp, which diffusers' has outside of its list of layers. */
br_name_place br_name_of_taesd(bool decoder, const char *name, char *out_name)
{
    int layer;
    if (!br_name_number(&name, &layer) || (decoder && layer == 0))
        return BR_NAME_UNKNOWN;
    snprintf(out_name, BR_NAME_MAX, "%s.layers.%d.%s", decoder ? "decoder" : "encoder", decoder ? layer - 1 : layer, name);
    return BR_NAME_PLACED;
}
