/* From blocks as files hold them (weights/quant_blocks.h) to rows as shaders read them (shaders/common/quant.h). */
#ifndef BR_EXEC_REPACK_H
#define BR_EXEC_REPACK_H

#include <stdint.h>

#include "graph/tensor.h"
#include "weights/dtype.h"

/* The type that a matrix of `stored` has on the device when it keeps its blocks; false for types without blocks. */
bool br_repack_dtype(br_weight_dtype stored, br_dtype *out_dtype);
/* A row of `columns` numbers in blocks, at any address, into br_dtype_row_bytes. `columns` is a multiple of the block. */
void br_repack_row(br_dtype dtype, const uint8_t *blocks, int64_t columns, uint32_t *out_words);

#endif
