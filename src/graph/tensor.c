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

const char *br_dtype_name(br_dtype dtype)
{
    switch (dtype) {
    case BR_F32:
        return "f32";
    case BR_F16:
        return "f16";
    case BR_I32:
        return "i32";
    }
    return "?";
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
