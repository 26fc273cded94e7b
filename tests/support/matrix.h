/* A random matrix in blocks. */
#ifndef BR_TEST_MATRIX_H
#define BR_TEST_MATRIX_H

#include "graph/tensor.h"

typedef struct br_test_matrix {
    uint8_t *blocks; /* as a file holds it; owned, as the others */
    uint32_t *words; /* as a device does, see shaders/common/quant.h */
    float *values;   /* what it means */
} br_test_matrix;

/* Every field of the blocks is random; `columns` is a multiple of the block, and the seed. */
br_test_matrix br_test_matrix_make(br_dtype dtype, int64_t rows, int64_t columns);
void br_test_matrix_free(br_test_matrix *matrix);

#endif
