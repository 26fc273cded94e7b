/* GGUF files, versions 2 and 3, little endian (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md): "GGUF", the version,
 * numbers of tensors and of metadata entries, the entries, a description of each tensor, and after the next multiple of the
 * alignment the tensors' bytes. Everything before the bytes is checked in full when the file is opened; they are not touched. */
#ifndef BR_WEIGHTS_GGUF_H
#define BR_WEIGHTS_GGUF_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "weights/weights.h"

/* Types of metadata values. */
typedef enum br_gguf_type {
    BR_GGUF_U8,
    BR_GGUF_I8,
    BR_GGUF_U16,
    BR_GGUF_I16,
    BR_GGUF_U32,
    BR_GGUF_I32,
    BR_GGUF_F32,
    BR_GGUF_BOOL,
    BR_GGUF_STRING,
    BR_GGUF_ARRAY,
    BR_GGUF_U64,
    BR_GGUF_I64,
    BR_GGUF_F64,
    BR_GGUF_TYPE_COUNT,
} br_gguf_type;

#define BR_GGUF_ALIGNMENT 32 /* where "general.alignment" says nothing else */
#define BR_GGUF_RANK_MAX 4   /* GGML_MAX_DIMS */
/* ComfyUI-GGUF flattens a tensor whose rows are not whole blocks and keeps the shape under this prefix and the tensor's name. */
#define BR_GGUF_ORIGINAL_SHAPE "comfy.gguf.orig_shape."

/* The number by which GGUF knows `dtype` (enum ggml_type); -1 for a type that it has not. */
int br_gguf_tensor_type(br_weight_dtype dtype);

/* A br_weights_parser: tensors, their dimensions in C order, and metadata. Errors: BR_ERROR_FORMAT for a header that lies, BR_ERROR_UNSUPPORTED for a
 * version, an element type or a rank that Brume does not know. */
BR_MUST_CHECK br_status br_gguf_parse(br_weights *weights, const uint8_t *bytes, size_t size, const char *file);
/* br_weights_open with it. */
BR_MUST_CHECK br_status br_gguf_open(const char *path, br_weights **out_weights);

#endif
