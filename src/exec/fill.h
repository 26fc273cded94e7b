/* What a tensor of a file becomes on the device, any range of it at a time: numbers in the type that the graph asks for, kernels with their channels last,
 * blocks sorted as the shaders read them. */
#ifndef BR_EXEC_FILL_H
#define BR_EXEC_FILL_H

#include "graph/graph.h"
#include "weights/weights.h"

typedef struct br_fill {
    const br_tensor_view *source; /* borrowed; has the shape's elements */
    br_dtype dtype;               /* of blocks: those that the source has */
    br_weight_layout layout;
    br_shape shape; /* on the device */
} br_fill;

/* Whether a matrix of `stored` on the device may be made of a tensor of `source`: any numbers will do for numbers, blocks are of one type. */
bool br_fill_possible(br_weight_dtype source, br_dtype stored);

/* A range is best cut at multiples of this many bytes: what it takes a part of is made as a whole. */
uint64_t br_fill_unit(const br_fill *fill);
/* Bytes that br_fill_range works in. */
size_t br_fill_scratch(const br_fill *fill);
/* Bytes [at, at + size) of the tensor, multiples of 4 but for its end. Threads may fill ranges of one tensor at a time, each with its own scratch. */
void br_fill_range(const br_fill *fill, uint64_t at, uint64_t size, uint8_t *scratch, uint8_t *out_bytes);

#endif
