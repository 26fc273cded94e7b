/* CLIPTextModel and CLIPTextModelWithProjection (transformers models/clip/modeling_clip.py): token ids to states, and to the pooled vector. */
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
    int eos_token_id;
    bool with_projection; /* architectures names CLIPTextModelWithProjection: the file has text_projection.weight */
    int projection_dim;
} br_clip_text_config;

BR_MUST_CHECK br_status br_clip_text_config_read(const json_t *object, const char *what, br_clip_text_config *out_config);

/* Position whose state is pooled: the first eos_token_id, or 0 where there is none. With eos_token_id = 2, which old files have wrongly, transformers takes the
 * first of the largest id, and so do we; but not among those of textual inversion, which lie above. */
int br_clip_text_pool_position(const br_clip_text_config *config, const int32_t *tokens, int count);

typedef struct br_clip_text_inputs {
    br_value tokens;    /* i32 [B, T], T <= max_position_embeddings */
    br_value extra;     /* f32 [E, hidden_size]: embeddings of the ids from vocab_size on (textual inversion), or BR_NONE */
    br_value pool_rows; /* i32 [P, 1]: rows of the states seen as [B · T, hidden_size] to pool, or BR_NONE; needs with_projection */
    int skip;           /* last layers that `states` leaves out, 0 to num_hidden_layers; what is pooled has them all */
    bool final_norm;    /* `states` pass the final layer norm */
} br_clip_text_inputs;

/* transformers' hidden_states[-(1 + skip)], normalised or not. So diffusers' clip_skip s means: skip = s and the norm for Stable Diffusion 1 and 2 (s = 0 gives
 * last_hidden_state); skip = s + 1 without the norm for both encoders of SDXL. */
typedef struct br_clip_text_outputs {
    br_value states; /* [B, T, hidden_size] in the builder's dtype */
    br_value pooled; /* text_embeds [P, projection_dim] in the builder's dtype, or BR_NONE without pool_rows */
} br_clip_text_outputs;

void br_clip_text_build(br_builder *builder, const br_clip_text_config *config, const br_clip_text_inputs *inputs,
                        br_clip_text_outputs *out_values);

#endif
