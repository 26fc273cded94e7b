#include "models/unet_layers.h"

#include <stdio.h>

static void add(br_unet_layer *layers, int *count, const char *block, br_unet_layer layer)
{
    snprintf(layer.block, sizeof layer.block, "%s", block);
    layers[(*count)++] = layer;
}

int br_unet_layers_list(const br_unet_config *config, br_unet_layer out_layers[BR_UNET_LAYERS_MAX])
{
    int count = 0, blocks = config->block_count;
    char name[32];
    for (int i = 0; i < blocks; i++) {
        snprintf(name, sizeof name, "down_blocks.%d", i);
        for (int j = 0; j < config->layers_per_block[i]; j++)
            add(out_layers, &count, name,
                (br_unet_layer){.index = j,
                                .channels = config->block_out_channels[i],
                                .transformers = config->down_attention[i] ? config->down_transformers[i][j] : 0});
    }
    br_unet_layer mid = {.channels = config->block_out_channels[blocks - 1]};
    if (config->mid != BR_UNET_MID_NONE) {
        mid.transformers = config->mid == BR_UNET_MID_TRANSFORMER ? config->mid_transformers : 0;
        add(out_layers, &count, "mid_block", mid);
    }
    if (config->mid == BR_UNET_MID_TRANSFORMER)
        add(out_layers, &count, "mid_block", (br_unet_layer){.index = 1, .channels = mid.channels});
    for (int i = 0; i < blocks; i++) {
        int mirror = blocks - 1 - i;
        snprintf(name, sizeof name, "up_blocks.%d", i);
        for (int j = 0; j < config->layers_per_block[mirror] + 1; j++)
            add(out_layers, &count, name,
                (br_unet_layer){.index = j,
                                .channels = config->block_out_channels[mirror],
                                .transformers = config->up_attention[i] ? config->up_transformers[i][j] : 0});
    }
    return count;
}

br_value br_unet_layers_time(br_builder *builder, const br_unet_config *config, br_value temb)
{
    br_unet_layer layers[BR_UNET_LAYERS_MAX];
    br_stack_part parts[BR_UNET_LAYERS_MAX];
    int count = br_unet_layers_list(config, layers);
    for (int i = 0; i < count; i++) {
        parts[i].out = layers[i].channels;
        snprintf(parts[i].name, sizeof parts[i].name, "%.31s.resnets.%d.time_emb_proj", layers[i].block, layers[i].index);
        snprintf(parts[i].residual, sizeof parts[i].residual, "%.31s.resnets.%d.conv1.bias", layers[i].block, layers[i].index);
    }
    return br_layer_linear_stack(
        builder, &(br_layer_stack_params){.name = "time_emb_proj", .x = temb, .parts = parts, .count = count, .bias = true});
}

int64_t br_unet_cross_width(const br_unet_config *config)
{
    br_unet_layer layers[BR_UNET_LAYERS_MAX];
    int64_t width = 0;
    for (int i = br_unet_layers_list(config, layers); i-- > 0;)
        width += 2 * layers[i].channels * layers[i].transformers;
    return width;
}

/* to_k and to_v of the transformer layers behind one residual block. */
static int add_cross(const br_unet_layer *layer, br_stack_part *parts)
{
    int count = 0;
    for (int t = 0; t < layer->transformers; t++) {
        for (int v = 0; v < 2; v++) {
            br_stack_part *part = &parts[count++];
            *part = (br_stack_part){.out = layer->channels};
            snprintf(part->name, sizeof part->name, "%.31s.attentions.%d.transformer_blocks.%d.attn2.%s", layer->block,
                     layer->index, t, v ? "to_v" : "to_k");
        }
    }
    return count;
}

int br_unet_cross_count(const br_unet_config *config)
{
    br_unet_layer layers[BR_UNET_LAYERS_MAX];
    int count = 0;
    for (int i = br_unet_layers_list(config, layers); i-- > 0;)
        count += 2 * layers[i].transformers;
    return count;
}

br_value br_unet_cross_build(br_builder *builder, const br_unet_config *config, br_value context, br_value *out_apart)
{
    br_unet_layer layers[BR_UNET_LAYERS_MAX];
    int layer_count = br_unet_layers_list(config, layers), count = br_unet_cross_count(config);
    if (context == BR_NONE || br_graph_failed(builder->graph))
        return BR_NONE;
    br_stack_part *parts = br_arena_alloc(&builder->graph->arena, ((size_t)count + 1) * sizeof *parts);
    if (!parts)
        return br_graph_fail(builder->graph, BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory for %d cross-attentions", count);
    count = 0;
    for (int i = 0; i < layer_count; i++)
        count += add_cross(&layers[i], parts + count);
    br_graph_push(builder->graph, "unet");
    br_value y = br_layer_linear_stack(
        builder, &(br_layer_stack_params){.name = "to_kv", .x = context, .parts = parts, .count = count, .out_apart = out_apart});
    br_graph_pop(builder->graph);
    return y;
}
