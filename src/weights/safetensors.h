/* safetensors files: 8 bytes header length, a JSON header {name: {dtype, shape, data_offsets}}, then the tensors' bytes without
 * holes (https://github.com/huggingface/safetensors). The header is checked in full when the file is opened; tensor data is not
 * touched. */
#ifndef BR_WEIGHTS_SAFETENSORS_H
#define BR_WEIGHTS_SAFETENSORS_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "weights/weights.h"

/* A br_weights_parser. Errors: BR_ERROR_FORMAT for a header that lies, BR_ERROR_UNSUPPORTED for an element type or a rank that
 * Brume does not know. */
BR_MUST_CHECK br_status br_safetensors_parse(br_weights *weights, const uint8_t *bytes, size_t size, const char *file);
/* br_weights_open with it. */
BR_MUST_CHECK br_status br_safetensors_open(const char *path, br_weights **out_weights);

#endif
