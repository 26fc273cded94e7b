#include "weights/dtype.h"

#include <string.h>

#include "weights/quant_blocks.h"

static const struct {
    const char *name;
    size_t block, size;
} DTYPES[BR_WEIGHT_DTYPE_COUNT] = {
    [BR_WEIGHT_F64] = {"F64", 1, 8},
    [BR_WEIGHT_F32] = {"F32", 1, 4},
    [BR_WEIGHT_F16] = {"F16", 1, 2},
    [BR_WEIGHT_BF16] = {"BF16", 1, 2},
    [BR_WEIGHT_F8_E4M3] = {"F8_E4M3", 1, 1},
    [BR_WEIGHT_F8_E5M2] = {"F8_E5M2", 1, 1},
    [BR_WEIGHT_I64] = {"I64", 1, 8},
    [BR_WEIGHT_I32] = {"I32", 1, 4},
    [BR_WEIGHT_I16] = {"I16", 1, 2},
    [BR_WEIGHT_I8] = {"I8", 1, 1},
    [BR_WEIGHT_U64] = {"U64", 1, 8},
    [BR_WEIGHT_U32] = {"U32", 1, 4},
    [BR_WEIGHT_U16] = {"U16", 1, 2},
    [BR_WEIGHT_U8] = {"U8", 1, 1},
    [BR_WEIGHT_BOOL] = {"BOOL", 1, 1},
    [BR_WEIGHT_Q4_0] = {"Q4_0", BR_QUANT_BLOCK, sizeof(br_block_q4_0)},
    [BR_WEIGHT_Q4_1] = {"Q4_1", BR_QUANT_BLOCK, sizeof(br_block_q4_1)},
    [BR_WEIGHT_Q5_0] = {"Q5_0", BR_QUANT_BLOCK, sizeof(br_block_q5_0)},
    [BR_WEIGHT_Q5_1] = {"Q5_1", BR_QUANT_BLOCK, sizeof(br_block_q5_1)},
    [BR_WEIGHT_Q8_0] = {"Q8_0", BR_QUANT_BLOCK, sizeof(br_block_q8_0)},
    [BR_WEIGHT_Q2_K] = {"Q2_K", BR_QUANT_SUPER_BLOCK, sizeof(br_block_q2_k)},
    [BR_WEIGHT_Q3_K] = {"Q3_K", BR_QUANT_SUPER_BLOCK, sizeof(br_block_q3_k)},
    [BR_WEIGHT_Q4_K] = {"Q4_K", BR_QUANT_SUPER_BLOCK, sizeof(br_block_q4_k)},
    [BR_WEIGHT_Q5_K] = {"Q5_K", BR_QUANT_SUPER_BLOCK, sizeof(br_block_q5_k)},
    [BR_WEIGHT_Q6_K] = {"Q6_K", BR_QUANT_SUPER_BLOCK, sizeof(br_block_q6_k)},
};

const char *br_weight_dtype_name(br_weight_dtype dtype)
{
    return DTYPES[dtype].name;
}

size_t br_weight_dtype_block(br_weight_dtype dtype)
{
    return DTYPES[dtype].block;
}

size_t br_weight_dtype_size(br_weight_dtype dtype)
{
    return DTYPES[dtype].size;
}

bool br_weight_dtype_parse(const char *name, br_weight_dtype *out_dtype)
{
    for (int i = 0; i < BR_WEIGHT_DTYPE_COUNT; i++)
        if (strcmp(name, DTYPES[i].name) == 0) {
            *out_dtype = (br_weight_dtype)i;
            return true;
        }
    return false;
}
