/* Element types and shapes. Letters of shapes, everywhere: B batch, C channels, H W height and width, T tokens, D model width, NH heads,
 * G groups, K kernel. Activations are [B, H, W, C] or, the same memory, [B, T, D]. */
#ifndef BR_GRAPH_TENSOR_H
#define BR_GRAPH_TENSOR_H

#include <stdbool.h>
#include <stdint.h>

/* The Q types hold a matrix's rows as blocks of 32 (K: 256) whole numbers that share scales, as GGUF files do; shaders/common/quant.h says how they lie on
 * the device. Only weights [N, D] have them, D a multiple of the block. In the order of br_weight_dtype. */
typedef enum br_dtype {
    BR_F32,
    BR_F16,
    BR_I32,
    BR_Q4_0,
    BR_Q4_1,
    BR_Q5_0,
    BR_Q5_1,
    BR_Q8_0,
    BR_Q2_K,
    BR_Q3_K,
    BR_Q4_K,
    BR_Q5_K,
    BR_Q6_K,
} br_dtype;

#define BR_RANK_MAX 4

typedef struct br_shape {
    int rank;
    int64_t dim[BR_RANK_MAX]; /* each >= 1 */
} br_shape;

/* br_shape_of(2, 77, 768) */
#define br_shape_of(...) \
    br_shape_make((const int64_t[]){__VA_ARGS__}, (int)(sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t)))

br_shape br_shape_make(const int64_t *dim, int rank);
int64_t br_shape_count(br_shape shape);
bool br_shape_equal(br_shape a, br_shape b);
/* Size of the last dimension (C or D), and the product of the others. */
int64_t br_shape_last(br_shape shape);
int64_t br_shape_rows(br_shape shape);

int64_t br_dtype_size(br_dtype dtype); /* bytes of an element; of the words that rows consist of where these are blocks */
/* Elements that share scales: 1 for all but the Q types. */
int64_t br_dtype_block(br_dtype dtype);
/* Bytes of a row of `columns` elements, a multiple of the block. */
int64_t br_dtype_row_bytes(br_dtype dtype, int64_t columns);
const char *br_dtype_name(br_dtype dtype);

/* "[1, 64, 64, 320]" */
typedef struct br_shape_text {
    char text[96];
} br_shape_text;
br_shape_text br_shape_format(br_shape shape);

#endif
