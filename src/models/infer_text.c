/* CLIPTextModel's configuration from its tensors. */
#include "models/infer_shape.h"

#define LAYERS_MAX 256

br_status br_infer_text(const br_infer_text_params *params, json_t **out_config)
{
    const br_weights *weights = params->weights;
    const char *file = params->file;
    int vocabulary, width, positions, wide, projection, layers = 0;
    *out_config = NULL;
    BR_TRY(br_shape_need(weights, file, "text_model.embeddings.token_embedding.weight", 0, &vocabulary));
    BR_TRY(br_shape_need(weights, file, "text_model.embeddings.token_embedding.weight", 1, &width));
    BR_TRY(br_shape_need(weights, file, "text_model.embeddings.position_embedding.weight", 0, &positions));
    BR_TRY(br_shape_need(weights, file, "text_model.encoder.layers.0.mlp.fc1.weight", 0, &wide));
    while (layers < LAYERS_MAX && br_shape_find(weights, "text_model.encoder.layers.%d.mlp.fc1.weight", layers))
        layers++;
    if (params->last_dropped)
        layers--;
    if (layers < 1)
        return br_fail(BR_ERROR_FORMAT, "%s: the text encoder has one layer, expected more", file);
    if (width % BR_SHAPE_HEAD)
        return br_fail(
            BR_ERROR_UNSUPPORTED,
            "%s: the text encoder is %d wide, no multiple of %d: its heads cannot be known from the tensors (give a folder of "
            "this architecture with --config)",
            file, width, BR_SHAPE_HEAD);
    projection = width;
    if (params->projected)
        BR_TRY(br_shape_need(weights, file, "text_projection.weight", 0, &projection));
    return br_shape_json(json_pack("{s:[s], s:i, s:i, s:i, s:i, s:i, s:i, s:s, s:i, s:i}", "architectures",
                                   params->projected ? "CLIPTextModelWithProjection" : "CLIPTextModel", "vocab_size", vocabulary,
                                   "hidden_size", width, "intermediate_size", wide, "num_hidden_layers", layers,
                                   "num_attention_heads", width / BR_SHAPE_HEAD, "max_position_embeddings", positions, "hidden_act",
                                   params->quick_gelu ? "quick_gelu" : "gelu", "projection_dim", projection,
                                   /* CLIP's last token is the end of text. */
                                   "eos_token_id", vocabulary - 1),
                         file, out_config);
}
