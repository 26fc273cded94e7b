/* CLIPTextModel (transformers models/clip/modeling_clip.py): token ids to the states after the final layer norm. */
#ifndef BR_MODELS_CLIP_TEXT_H
#define BR_MODELS_CLIP_TEXT_H

#include "base/json.h"
#include "models/blocks.h"

typedef struct br_clip_text_config {
    int hidden_size, intermediate_size;
    int num_hidden_layers, num_attention_heads;
    int max_position_embeddings, vocab_size;
    br_activation hidden_act;
    float layer_norm_eps;
} br_clip_text_config;

BR_MUST_CHECK br_status br_clip_text_config_read(const json_t *object, const char *what, br_clip_text_config *out_config);

/* tokens: i32 [B, T], T <= max_position_embeddings. Returns last_hidden_state [B, T, hidden_size] in the builder's dtype. */
br_value br_clip_text_build(br_builder *builder, const br_clip_text_config *config, br_value tokens);

#endif
