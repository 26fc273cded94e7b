#include "graph/tensor.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

br_shape br_shape_make(const int64_t *dim, int rank)
{
    assert(rank >= 0 && rank <= BR_RANK_MAX);
    br_shape shape = {.rank = rank};
    for (int i = 0; i < rank; i++)
        shape.dim[i] = dim[i];
    return shape;
}

int64_t br_shape_count(br_shape shape)
{
    int64_t count = 1;
    for (int i = 0; i < shape.rank; i++)
        count *= shape.dim[i];
    return count;
}

bool br_shape_equal(br_shape a, br_shape b)
{
    if (a.rank != b.rank)
        return false;
    for (int i = 0; i < a.rank; i++)
        if (a.dim[i] != b.dim[i])
            return false;
    return true;
}

int64_t br_shape_last(br_shape shape)
{
    return shape.rank > 0 ? shape.dim[shape.rank - 1] : 1;
}

int64_t br_shape_rows(br_shape shape)
{
    int64_t rows = 1;
    for (int i = 0; i + 1 < shape.rank; i++)
        rows *= shape.dim[i];
    return rows;
}

int64_t br_dtype_size(br_dtype dtype)
{
    return dtype == BR_F16 ? 2 : 4;
}

/* Bits of a number, and words of scales: 16-bit scales a block, which fill the row's last word, and whole words a block. */
static const struct {
    const char *name;
    int block, bits, halves, words;
} dtypes[] = {
    [BR_F32] = {.name = "f32", .block = 1},
    [BR_F16] = {.name = "f16", .block = 1},
    [BR_I32] = {.name = "i32", .block = 1},
    [BR_Q4_0] = {.name = "q4_0", .block = 32, .bits = 4, .halves = 1},
    [BR_Q4_1] = {.name = "q4_1", .block = 32, .bits = 4, .words = 1},
    [BR_Q5_0] = {.name = "q5_0", .block = 32, .bits = 5, .halves = 1},
    [BR_Q5_1] = {.name = "q5_1", .block = 32, .bits = 5, .words = 1},
    [BR_Q8_0] = {.name = "q8_0", .block = 32, .bits = 8, .halves = 1},
    [BR_Q2_K] = {.name = "q2_k", .block = 256, .bits = 2, .words = 5},
    [BR_Q3_K] = {.name = "q3_k", .block = 256, .bits = 3, .words = 3, .halves = 1},
    [BR_Q4_K] = {.name = "q4_k", .block = 256, .bits = 4, .words = 4},
    [BR_Q5_K] = {.name = "q5_k", .block = 256, .bits = 5, .words = 4},
    [BR_Q6_K] = {.name = "q6_k", .block = 256, .bits = 6, .words = 4, .halves = 1},
};

int64_t br_dtype_block(br_dtype dtype)
{
    return dtypes[dtype].block;
}

int64_t br_dtype_row_bytes(br_dtype dtype, int64_t columns)
{
    if (dtypes[dtype].block == 1)
        return columns * br_dtype_size(dtype);
    int64_t blocks = columns / dtypes[dtype].block;
    int64_t words = columns / 32 * dtypes[dtype].bits + blocks * dtypes[dtype].words + (blocks * dtypes[dtype].halves + 1) / 2;
    return words * 4;
}

const char *br_dtype_name(br_dtype dtype)
{
    return dtypes[dtype].name;
}

br_shape_text br_shape_format(br_shape shape)
{
    br_shape_text out;
    int used = snprintf(out.text, sizeof out.text, "[");
    for (int i = 0; i < shape.rank; i++)
        used += snprintf(out.text + used, sizeof out.text - (size_t)used, i ? ", %" PRId64 : "%" PRId64, shape.dim[i]);
    snprintf(out.text + used, sizeof out.text - (size_t)used, "]");
    return out;
}
