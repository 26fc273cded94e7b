/* Element types that model files use. */
#ifndef BR_WEIGHTS_DTYPE_H
#define BR_WEIGHTS_DTYPE_H

typedef enum br_weight_dtype {
    BR_WEIGHT_F64,
    BR_WEIGHT_F32,
    BR_WEIGHT_F16,
    BR_WEIGHT_BF16,
    BR_WEIGHT_F8_E4M3,
    BR_WEIGHT_F8_E5M2,
    BR_WEIGHT_I64,
    BR_WEIGHT_I32,
    BR_WEIGHT_I16,
    BR_WEIGHT_I8,
    BR_WEIGHT_U8,
    BR_WEIGHT_BOOL,
} br_weight_dtype;

#endif
