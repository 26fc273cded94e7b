/* GGUF's block types on the host. `blocks` counts blocks of br_weight_dtype_block elements; `dtype` is one of the Q* types. */
#ifndef BR_WEIGHTS_QUANT_H
#define BR_WEIGHTS_QUANT_H

#include <stddef.h>

#include "weights/dtype.h"

/* `source` may stand at any address. The arithmetic is ggml's, rounding by rounding: dequantize_row_* of src/ggml-quants.c. */
void br_quant_decode(br_weight_dtype dtype, const void *source, size_t blocks, float *out_values);

#endif
