/* UNet2DConditionModel's configuration from its tensors. */
#include <stdio.h>

#include "models/infer_shape.h"
#include "models/unet.h"

/* SD1 has eight heads of whatever width. */
#define SD1_HEADS 8
#define DEPTH_MAX 64

/* The layers of one block: how many residual blocks, and how deep the transformer behind each is. */
typedef struct block_shape {
    int channels, layers;
    int depth[BR_UNET_LAYER_MAX + 2]; /* 0: none */
    bool attends;
} block_shape;

typedef struct unet_shape {
    const br_weights *weights;
    const char *file;
    int count;
    block_shape down[BR_UNET_BLOCK_MAX], up[BR_UNET_BLOCK_MAX];
    int mid_depth;
} unet_shape;

static int depth_of(const br_weights *weights, const char *where)
{
    int depth = 0;
    while (depth < DEPTH_MAX && br_shape_find(weights, "%s.transformer_blocks.%d.norm1.weight", where, depth))
        depth++;
    return depth;
}

static br_status read_block(const unet_shape *unet, const char *path, int index, block_shape *out_block)
{
    char name[100];
    *out_block = (block_shape){0};
    snprintf(name, sizeof name, "%s.%d.resnets.0.conv1.weight", path, index);
    BR_TRY(br_shape_need(unet->weights, unet->file, name, 0, &out_block->channels));
    while (out_block->layers <= BR_UNET_LAYER_MAX + 1 &&
           br_shape_find(unet->weights, "%s.%d.resnets.%d.conv1.weight", path, index, out_block->layers)) {
        snprintf(name, sizeof name, "%s.%d.attentions.%d", path, index, out_block->layers);
        int depth = depth_of(unet->weights, name);
        out_block->depth[out_block->layers++] = depth;
        out_block->attends |= depth > 0;
    }
    return NULL;
}

static br_status read_blocks(unet_shape *unet)
{
    while (unet->count < BR_UNET_BLOCK_MAX && br_shape_find(unet->weights, "down_blocks.%d.resnets.0.conv1.weight", unet->count))
        unet->count++;
    if (unet->count == 0)
        return br_fail(BR_ERROR_FORMAT, "%s has no tensor for down_blocks.0.resnets.0.conv1.weight", unet->file);
    for (int i = 0; i < unet->count; i++) {
        BR_TRY(read_block(unet, "down_blocks", i, &unet->down[i]));
        BR_TRY(read_block(unet, "up_blocks", i, &unet->up[i]));
        if (unet->down[i].channels % BR_SHAPE_GROUPS)
            return br_fail(BR_ERROR_UNSUPPORTED,
                           "%s: block %d of the UNet has %d channels, no multiple of %d: its group norm cannot be known from the "
                           "tensors (give a folder of this architecture with --config)",
                           unet->file, i, unet->down[i].channels, BR_SHAPE_GROUPS);
    }
    for (int i = 0; i < unet->count; i++)
        if (unet->up[unet->count - 1 - i].layers != unet->down[i].layers + 1)
            return br_fail(BR_ERROR_UNSUPPORTED,
                           "%s: down block %d of the UNet has %d layers and its up block %d, expected one more", unet->file, i,
                           unet->down[i].layers, unet->up[unet->count - 1 - i].layers);
    unet->mid_depth = depth_of(unet->weights, "mid_block.attentions.0");
    return NULL;
}

static bool is_uniform(const block_shape *block)
{
    for (int i = 1; i < block->layers; i++)
        if (block->depth[i] != block->depth[0])
            return false;
    return true;
}

/* A number, or a list where the layers differ; `without` stands for blocks that do not attend. */
static json_t *depth_json(const block_shape *block, int without)
{
    if (!block->attends)
        return json_integer(without);
    if (is_uniform(block))
        return json_integer(block->depth[0]);
    json_t *list = json_array();
    for (int i = 0; i < block->layers; i++)
        json_array_append_new(list, json_integer(block->depth[i]));
    return list;
}

/* The middle block is as deep as the last down block, also where that one does not attend. */
static int stand_in(const unet_shape *unet, int block)
{
    return block == unet->count - 1 && unet->mid_depth ? unet->mid_depth : 1;
}

static void add_depths(const unet_shape *unet, json_t *config)
{
    json_t *down = json_array(), *up = json_array();
    bool mirrored = true;
    for (int i = 0; i < unet->count; i++) {
        const block_shape *above = &unet->up[unet->count - 1 - i];
        json_array_append_new(down, depth_json(&unet->down[i], stand_in(unet, i)));
        json_array_append_new(up, depth_json(&unet->up[i], stand_in(unet, unet->count - 1 - i)));
        mirrored &= is_uniform(above) && is_uniform(&unet->down[i]);
        mirrored &= !above->attends || !unet->down[i].attends || above->depth[0] == unet->down[i].depth[0];
        mirrored &= !above->attends || unet->down[i].attends || above->depth[0] == stand_in(unet, i);
    }
    json_object_set_new(config, "transformer_layers_per_block", down);
    if (mirrored)
        json_decref(up);
    else
        json_object_set_new(config, "reverse_transformer_layers_per_block", up);
}

static br_status heads_of(const unet_shape *unet, const br_inferred *inferred, int block, int *out_heads)
{
    int channels = unet->down[block].channels;
    bool last = block == unet->count - 1;
    bool attends = unet->down[block].attends || unet->up[unet->count - 1 - block].attends || (last && unet->mid_depth);
    bool fixed = inferred->family == BR_FAMILY_SD1;
    *out_heads = fixed ? SD1_HEADS : channels % BR_SHAPE_HEAD == 0 ? channels / BR_SHAPE_HEAD : 1;
    if (attends && channels % (fixed ? SD1_HEADS : BR_SHAPE_HEAD))
        return br_fail(
            BR_ERROR_UNSUPPORTED,
            "%s: block %d of the UNet has %d channels, no multiple of %d: its heads cannot be known from the tensors (give a "
            "folder of this architecture with --config)",
            unet->file, block, channels, fixed ? SD1_HEADS : BR_SHAPE_HEAD);
    return NULL;
}

static br_status add_blocks(const unet_shape *unet, const br_inferred *inferred, json_t *config)
{
    json_t *channels = json_array(), *layers = json_array(), *heads = json_array(), *down = json_array(), *up = json_array();
    br_status status = NULL;
    for (int i = 0; i < unet->count && !status; i++) {
        int number = 0;
        status = heads_of(unet, inferred, i, &number);
        json_array_append_new(channels, json_integer(unet->down[i].channels));
        json_array_append_new(layers, json_integer(unet->down[i].layers));
        json_array_append_new(heads, json_integer(number));
        json_array_append_new(down, json_string(unet->down[i].attends ? "CrossAttnDownBlock2D" : "DownBlock2D"));
        json_array_append_new(up, json_string(unet->up[i].attends ? "CrossAttnUpBlock2D" : "UpBlock2D"));
    }
    json_object_set_new(config, "block_out_channels", channels);
    json_object_set_new(config, "layers_per_block", layers);
    json_object_set_new(config, "attention_head_dim", heads);
    json_object_set_new(config, "down_block_types", down);
    json_object_set_new(config, "up_block_types", up);
    return status;
}

/* SDXL: pooled text and six numbers (the refiner: five), each as sinusoids of 256, are 2,816 (2,560) values. */
static br_status add_conditioning(const unet_shape *unet, const br_inferred *inferred, json_t *config)
{
    if (br_shape_find(unet->weights, "add_embedding.linear_1.weight")) {
        int wide;
        BR_TRY(br_shape_need(unet->weights, unet->file, "add_embedding.linear_1.weight", 1, &wide));
        json_object_set_new(config, "addition_embed_type", json_string("text_time"));
        json_object_set_new(config, "addition_time_embed_dim", json_integer(256));
        json_object_set_new(config, "projection_class_embeddings_input_dim", json_integer(wide));
    }
    if (br_shape_find(unet->weights, "class_embedding.weight"))
        return br_fail(BR_ERROR_UNSUPPORTED, "%s: upscalers (a UNet with class embeddings) are not supported", unet->file);
    if (inferred->guidance_embedding) {
        int wide;
        BR_TRY(br_shape_need(unet->weights, unet->file, "time_embedding.cond_proj.weight", 1, &wide));
        json_object_set_new(config, "time_cond_proj_dim", json_integer(wide));
    }
    return NULL;
}

/* Text width from any of the cross-attentions. */
static br_status context_width(const unet_shape *unet, int *out_width)
{
    char name[120];
    for (int i = 0; i < unet->count; i++)
        if (unet->down[i].depth[0] || unet->up[i].depth[0]) {
            snprintf(name, sizeof name, "%s.%d.attentions.0.transformer_blocks.0.attn2.to_k.weight",
                     unet->down[i].depth[0] ? "down_blocks" : "up_blocks", i);
            return br_shape_need(unet->weights, unet->file, name, 1, out_width);
        }
    return br_shape_need(unet->weights, unet->file, "mid_block.attentions.0.transformer_blocks.0.attn2.to_k.weight", 1, out_width);
}

br_status br_infer_unet(const br_weights *weights, const br_inferred *inferred, const char *file, json_t **out_config)
{
    *out_config = NULL;
    br_status status = NULL;
    unet_shape unet = {.weights = weights, .file = file};
    int width;
    json_t *config = NULL;
    BR_TRY(read_blocks(&unet));
    BR_TRY(context_width(&unet, &width));
    BR_TRY(br_shape_json(json_pack("{s:s, s:i, s:i, s:i, s:i, s:i}", "_class_name", "UNet2DConditionModel", "sample_size",
                                   br_inferred_sample_size(inferred), "in_channels", inferred->in_channels, "out_channels",
                                   inferred->latent_channels, "norm_num_groups", BR_SHAPE_GROUPS, "cross_attention_dim", width),
                         file, &config));
    BR_TRY_GOTO(add_blocks(&unet, inferred, config));
    add_depths(&unet, config);
    if (!br_shape_find(weights, "mid_block.resnets.0.conv1.weight"))
        json_object_set_new(config, "mid_block_type", json_null());
    else
        json_object_set_new(config, "mid_block_type", json_string(unet.mid_depth ? "UNetMidBlock2DCrossAttn" : "UNetMidBlock2D"));
    if (inferred->family != BR_FAMILY_SD1)
        json_object_set_new(config, "use_linear_projection", json_true());
    BR_TRY_GOTO(add_conditioning(&unet, inferred, config));
    *out_config = config;
    return NULL;
fail:
    json_decref(config);
    return status;
}
