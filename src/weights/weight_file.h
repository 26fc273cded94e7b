/* One file of weights, in whatever format its first bytes say. */
#ifndef BR_WEIGHTS_WEIGHT_FILE_H
#define BR_WEIGHTS_WEIGHT_FILE_H

#include "weights/weights.h"

/* Maps `path`; sealed. *out_format is a literal: "safetensors", "gguf", "ckpt". Errors are those of the readers, and BR_ERROR_FORMAT for a file that is none of
 * them. The caller owns *out_weights. */
BR_MUST_CHECK br_status br_weight_file_open(const char *path, br_weights **out_weights, const char **out_format);

#endif
