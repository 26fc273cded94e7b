/* What the files of infer.h share. */
#ifndef BR_MODELS_INFER_SHAPE_H
#define BR_MODELS_INFER_SHAPE_H

#include "models/infer.h"

/* Largest dimension that a configuration may have (OpenCLIP's vocabulary has 49,408 tokens). */
#define BR_SHAPE_MAX (1 << 22)
/* Group norms of all published Stable Diffusion models. */
#define BR_SHAPE_GROUPS 32
/* Width of an attention head in all published models but SD1's UNet, which has a fixed number of heads. */
#define BR_SHAPE_HEAD 64

/* NULL when there is none. */
const br_tensor_view *br_shape_find(const br_weights *weights, const char *format, ...) BR_PRINTF(2, 3);
/* One dimension of a tensor that has to be there. */
BR_MUST_CHECK br_status br_shape_need(const br_weights *weights, const char *file, const char *name, int dimension, int *out_size);
/* `config`, or out of host memory when that is NULL. */
BR_MUST_CHECK br_status br_shape_json(json_t *config, const char *file, json_t **out_config);
/* Latent pixels along each side. */
int br_inferred_sample_size(const br_inferred *inferred);

#endif
