/* Element types that weight files hold. */
#ifndef BR_WEIGHTS_DTYPE_H
#define BR_WEIGHTS_DTYPE_H

#include <stdbool.h>
#include <stddef.h>

typedef enum br_weight_dtype {
    BR_WEIGHT_F64,
    BR_WEIGHT_F32,
    BR_WEIGHT_F16,
    BR_WEIGHT_BF16,
    BR_WEIGHT_F8_E4M3, /* the "fn" form: no infinities, NaN is S.1111.111 (arXiv 2209.05433) */
    BR_WEIGHT_F8_E5M2,
    BR_WEIGHT_I64,
    BR_WEIGHT_I32,
    BR_WEIGHT_I16,
    BR_WEIGHT_I8,
    BR_WEIGHT_U64,
    BR_WEIGHT_U32,
    BR_WEIGHT_U16,
    BR_WEIGHT_U8,
    BR_WEIGHT_BOOL, /* one byte */
    /* Blocks of 32 or 256 elements that share scales, as GGUF files hold them: quant_blocks.h. */
    BR_WEIGHT_Q4_0,
    BR_WEIGHT_Q4_1,
    BR_WEIGHT_Q5_0,
    BR_WEIGHT_Q5_1,
    BR_WEIGHT_Q8_0,
    BR_WEIGHT_Q2_K,
    BR_WEIGHT_Q3_K,
    BR_WEIGHT_Q4_K,
    BR_WEIGHT_Q5_K,
    BR_WEIGHT_Q6_K,
    BR_WEIGHT_DTYPE_COUNT,
} br_weight_dtype;

/* Elements of the largest block. */
#define BR_WEIGHT_BLOCK_MAX 256

/* The name as safetensors ("F16", "F8_E4M3") and ggml ("Q8_0", "Q4_K") spell it. */
const char *br_weight_dtype_name(br_weight_dtype dtype);
/* Elements a block: 1 for all types but Q*. */
size_t br_weight_dtype_block(br_weight_dtype dtype);
/* Bytes a block: of one element where a block is one. */
size_t br_weight_dtype_size(br_weight_dtype dtype);
/* False when no type has this name. */
bool br_weight_dtype_parse(const char *name, br_weight_dtype *out_dtype);

#endif
