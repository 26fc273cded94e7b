#include "pipeline/graphs.h"

#include "common/abi.h"

static void begin(br_builder *builder, br_graph *graph, br_graph_dtypes dtypes)
{
    br_builder_init(builder, graph, dtypes.activations, dtypes.matrices);
    builder->stored = dtypes.stored;
    if (dtypes.binding_bytes)
        builder->binding_bytes = dtypes.binding_bytes;
}

static br_value output_f32(br_graph *graph, const char *name, br_value value)
{
    if (value == BR_NONE)
        return BR_NONE;
    if (br_graph_dtype(graph, value) != BR_F32)
        value = br_op_convert(graph, name, &(br_convert_params){.x = value, .dtype = BR_F32, .scale = 1});
    br_graph_output(graph, value, name);
    return value;
}

void br_graph_build_text(br_graph *graph, const br_text_params *params, br_text_graph *out_values)
{
    const br_clip_text_config *config = params->config;
    br_builder builder;
    begin(&builder, graph, params->dtypes);
    br_clip_text_inputs inputs = {
        .tokens = br_graph_input(graph, "tokens", BR_I32, br_shape_of(params->batch, config->max_position_embeddings)),
        .extra =
            params->vectors ? br_graph_input(graph, "vectors", BR_F32, br_shape_of(params->vectors, config->hidden_size)) : BR_NONE,
        .pool_rows = params->pooled ? br_graph_input(graph, "pool_rows", BR_I32, br_shape_of(params->batch, 1)) : BR_NONE,
        .skip = params->skip,
        .final_norm = params->norm,
    };
    br_clip_text_outputs text;
    br_clip_text_build(&builder, config, &inputs, &text);
    *out_values = (br_text_graph){.tokens = inputs.tokens,
                                  .extra = inputs.extra,
                                  .pool_rows = inputs.pool_rows,
                                  .states = output_f32(graph, "text_states", text.states),
                                  .pooled = output_f32(graph, "text_embeds", text.pooled)};
}

static void build_keep(br_graph *graph, br_shape latents, br_denoise_graph *values)
{
    br_shape mask = latents;
    mask.dim[3] = 1;
    values->mask = br_graph_input(graph, "mask", BR_F32, mask);
    values->known = br_graph_input(graph, "known", BR_F32, latents);
    values->known_noise = br_graph_input(graph, "known_noise", BR_F32, latents);
    br_op_keep(
        graph, "keep",
        &(br_keep_params){
            .step = values->step, .x = values->x, .mask = values->mask, .known = values->known, .noise = values->known_noise});
}

bool br_graph_has_cross(const br_denoise_params *params)
{
    int64_t row = br_unet_cross_width(params->unet) * br_dtype_size(params->dtypes.activations);
    return row > 0 && (!params->dtypes.binding_bytes || (uint64_t)(row * params->tokens) <= params->dtypes.binding_bytes);
}

void br_graph_build_cross(br_graph *graph, const br_denoise_params *params, br_cross_graph *out_values)
{
    br_builder builder;
    begin(&builder, graph, params->dtypes);
    int64_t rows = (int64_t)params->copies * params->batch;
    out_values->context = br_graph_input(graph, "context", params->dtypes.activations,
                                         br_shape_of(rows, params->tokens, params->unet->cross_attention_dim));
    out_values->cross = br_unet_cross_build(&builder, params->unet, out_values->context, NULL);
    br_graph_output(graph, out_values->cross, "cross");
}

/* Of the graph's arena; NULL when there is no memory, which the graph knows then. */
static br_value *make_apart(br_builder *builder, const br_unet_config *unet, br_value context)
{
    int count = br_unet_cross_count(unet);
    br_value *apart = br_arena_alloc(&builder->graph->arena, (size_t)count * sizeof *apart);
    if (!apart)
        br_graph_fail(builder->graph, BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory for %d keys and values", count);
    else
        br_unet_cross_build(builder, unet, context, apart);
    return apart;
}

void br_graph_build_denoise(br_graph *graph, const br_denoise_params *params, br_denoise_graph *out_values)
{
    const br_unet_config *unet = params->unet;
    br_shape latents = br_shape_of(params->batch, params->height, params->width, unet->out_channels);
    int64_t count = br_shape_count(latents);
    br_denoise_graph values = {
        .step = br_graph_step(graph),
        .cross = BR_NONE,
        .context = BR_NONE,
        .noise = br_graph_input(graph, "noise", BR_F32, latents),
        .picture = BR_NONE,
        .timestep_cond = BR_NONE,
        .mask = BR_NONE,
        .known = BR_NONE,
        .known_noise = BR_NONE,
        .x = br_graph_state(graph, "x", BR_F32, latents),
        .history = br_graph_state(graph, "history", BR_F32, br_shape_of(BR_HISTORY_MAX, count)),
    };
    int64_t rows = (int64_t)params->copies * params->batch, cross_width = br_unet_cross_width(unet);
    if (br_graph_has_cross(params))
        values.cross = br_graph_input(graph, "cross", params->dtypes.activations, br_shape_of(rows, params->tokens, cross_width));
    else if (cross_width)
        values.context = br_graph_input(graph, "context", params->dtypes.activations,
                                        br_shape_of(rows, params->tokens, unet->cross_attention_dim));
    bool pooled = params->pooled > 0;
    values.text_embeds = pooled ? br_graph_input(graph, "text_embeds", BR_F32, br_shape_of(rows, params->pooled)) : BR_NONE;
    values.time_ids = pooled ? br_graph_input(graph, "time_ids", BR_F32, br_shape_of(rows, params->time_ids)) : BR_NONE;
    br_builder builder;
    begin(&builder, graph, params->dtypes);
    br_value sample = br_op_model_input(graph, "model_input", values.step, values.x, params->copies, params->dtypes.activations);
    if (unet->in_channels > unet->out_channels) {
        br_shape beside = latents;
        beside.dim[0] *= params->copies;
        beside.dim[3] = unet->in_channels - unet->out_channels;
        values.picture = br_graph_input(graph, "picture", params->dtypes.activations, beside);
        sample = br_op_concat(graph, "model_input_picture", sample, values.picture);
    }
    if (unet->time_cond_proj_dim)
        values.timestep_cond = br_graph_input(graph, "timestep_cond", BR_F32, br_shape_of(1, unet->time_cond_proj_dim));
    br_value *apart = values.context == BR_NONE ? NULL : make_apart(&builder, unet, values.context);
    values.out = br_unet_build(&builder, unet,
                               &(br_unet_inputs){.sample = sample,
                                                 .step = values.step,
                                                 .cross = values.cross,
                                                 .cross_apart = apart,
                                                 .text_embeds = values.text_embeds,
                                                 .time_ids = values.time_ids,
                                                 .timestep_cond = values.timestep_cond});
    br_graph_output(graph, values.out, "model_output");
    br_value guided = values.out;
    if (params->copies > 1 && (params->copies > 2 || params->rescale))
        guided = br_op_guidance(
            graph, "guidance",
            &(br_guidance_params){.step = values.step, .out = values.out, .copies = params->copies, .rescale = params->rescale});
    br_op_sampler_step(graph, "sampler_step",
                       &(br_sampler_step_params){
                           .step = values.step, .out = guided, .x = values.x, .history = values.history, .noise = values.noise});
    if (params->keep)
        build_keep(graph, latents, &values);
    *out_values = values;
}

void br_graph_build_decode(br_graph *graph, br_graph_vae vae, br_graph_dtypes dtypes, int height, int width,
                           br_decode_graph *out_values)
{
    br_builder builder;
    begin(&builder, graph, dtypes);
    out_values->latents = br_graph_input(graph, "latents", BR_F32, br_shape_of(1, height, width, vae.config->latent_channels));
    br_value x = br_op_convert(graph, "unscale",
                               &(br_convert_params){.x = out_values->latents,
                                                    .dtype = dtypes.activations,
                                                    .scale = 1 / vae.config->scaling_factor,
                                                    .shift = vae.config->shift_factor});
    x = vae.tiny ? br_taesd_decoder_build(&builder, vae.tiny, x) : br_vae_decoder_build(&builder, vae.config, x);
    x = br_op_convert(graph, "picture",
                      &(br_convert_params){.x = x, .dtype = BR_F32, .layout = BR_LAYOUT_NHWC_TO_NCHW, .scale = 1});
    br_graph_output(graph, x, "picture");
    out_values->picture = x;
}

void br_graph_build_encode(br_graph *graph, br_graph_vae vae, br_graph_dtypes dtypes, int height, int width,
                           br_encode_graph *out_values)
{
    br_builder builder;
    begin(&builder, graph, dtypes);
    out_values->picture = br_graph_input(graph, "picture", BR_F32, br_shape_of(1, vae.config->in_channels, height, width));
    br_value x = br_op_convert(
        graph, "to_nhwc",
        &(br_convert_params){.x = out_values->picture, .dtype = dtypes.activations, .layout = BR_LAYOUT_NCHW_TO_NHWC, .scale = 1});
    x = vae.tiny ? br_taesd_encoder_build(&builder, vae.tiny, x) : br_vae_encoder_build(&builder, vae.config, x);
    x = br_op_convert(graph, "moments",
                      &(br_convert_params){.x = x, .dtype = BR_F32, .layout = BR_LAYOUT_NHWC_TO_NCHW, .scale = 1});
    br_graph_output(graph, x, "moments");
    out_values->moments = x;
}
