#include "support/matrix.h"

#include <string.h>

#include "exec/repack.h"
#include "support/blocks.h"
#include "support/test.h"
#include "weights/quant.h"

br_test_matrix br_test_matrix_make(br_dtype dtype, int64_t rows, int64_t columns)
{
    br_weight_dtype stored = (br_weight_dtype)(BR_WEIGHT_Q4_0 + (dtype - BR_Q4_0));
    size_t size = br_weight_dtype_size(stored), row = (size_t)columns / br_weight_dtype_block(stored) * size;
    size_t words = (size_t)br_dtype_row_bytes(dtype, columns) / 4;
    br_test_matrix it = {
        .blocks = test_malloc((size_t)rows * row),
        .words = test_malloc((size_t)rows * words * 4),
        .values = test_malloc((size_t)(rows * columns) * sizeof(float)),
    };
    br_test_blocks_random(stored, (size_t)(rows * columns), 0.5, (uint32_t)columns, it.blocks);
    memset(it.words, 0xff, (size_t)rows * words * 4);
    for (int64_t i = 0; i < rows; i++)
        br_repack_row(dtype, it.blocks + (size_t)i * row, columns, it.words + (size_t)i * words);
    br_quant_decode(stored, it.blocks, (size_t)rows * row / size, it.values);
    return it;
}

void br_test_matrix_free(br_test_matrix *matrix)
{
    test_free(matrix->blocks);
    test_free(matrix->words);
    test_free(matrix->values);
}
