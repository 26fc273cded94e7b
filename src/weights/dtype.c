#include "weights/dtype.h"

#include <string.h>

static const struct {
    const char *name;
    size_t size;
} DTYPES[BR_WEIGHT_DTYPE_COUNT] = {
    [BR_WEIGHT_F64] = {"F64", 8},   [BR_WEIGHT_F32] = {"F32", 4},         [BR_WEIGHT_F16] = {"F16", 2},
    [BR_WEIGHT_BF16] = {"BF16", 2}, [BR_WEIGHT_F8_E4M3] = {"F8_E4M3", 1}, [BR_WEIGHT_F8_E5M2] = {"F8_E5M2", 1},
    [BR_WEIGHT_I64] = {"I64", 8},   [BR_WEIGHT_I32] = {"I32", 4},         [BR_WEIGHT_I16] = {"I16", 2},
    [BR_WEIGHT_I8] = {"I8", 1},     [BR_WEIGHT_U64] = {"U64", 8},         [BR_WEIGHT_U32] = {"U32", 4},
    [BR_WEIGHT_U16] = {"U16", 2},   [BR_WEIGHT_U8] = {"U8", 1},           [BR_WEIGHT_BOOL] = {"BOOL", 1},
};

const char *br_weight_dtype_name(br_weight_dtype dtype)
{
    return DTYPES[dtype].name;
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
