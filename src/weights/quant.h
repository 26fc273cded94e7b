/* GGUF's block types on the host. `blocks` counts blocks of br_weight_dtype_block elements; `dtype` is one of the Q* types. */
#ifndef BR_WEIGHTS_QUANT_H
#define BR_WEIGHTS_QUANT_H

#include <stddef.h>

#include "weights/dtype.h"

/* `source` may stand at any address. The arithmetic is ggml's, rounding by rounding: dequantize_row_* of src/ggml-quants.c. */
void br_quant_decode(br_weight_dtype dtype, const void *source, size_t blocks, float *out_values);
/* Q*_0 and Q*_1 give the blocks that ggml's quantize_row_*_ref give; the K types look for the smallest sum of squared errors. Values beyond
 * the range of a half, or not finite, give blocks that decode to something else, but nothing worse. */
void br_quant_encode(br_weight_dtype dtype, const float *values, size_t blocks, void *out_blocks);

#endif
