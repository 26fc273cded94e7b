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
    BR_WEIGHT_DTYPE_COUNT,
} br_weight_dtype;

/* The name as safetensors spells it ("F16", "F8_E4M3"). */
const char *br_weight_dtype_name(br_weight_dtype dtype);
/* Bytes an element. */
size_t br_weight_dtype_size(br_weight_dtype dtype);
/* False when no type has this name. */
bool br_weight_dtype_parse(const char *name, br_weight_dtype *out_dtype);

#endif
