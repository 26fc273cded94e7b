/* Cutting operands into ranges that one binding may span (caps->max_storage_range; 128 MiB is common) and that begin where a binding may begin
 * (caps->storage_alignment). What is left between the start of the bound range and the first element asked for goes to the shader as `skip`. */
#ifndef BR_OPS_SLICE_H
#define BR_OPS_SLICE_H

#include "ops/emit.h"

typedef struct br_slice {
    br_operand operand;
    uint32_t
        skip; /* elements from the start of the range to the first one asked for; a multiple of 4 when `first` was. Words for block types */
} br_slice;

/* Elements [first, first + count) of a value; whole rows of a value of a block type. */
br_slice br_slice_make(const br_emitter *emitter, br_value value, uint64_t first, uint64_t count, br_vk_access access);
/* How many consecutive rows of `row` elements one binding can hold wherever they start; 0 when not even one fits. A value that fits as a whole has all its
 * rows in one piece. */
uint64_t br_slice_rows(const br_emitter *emitter, br_value value, uint64_t row);

/* One operand of a row-wise op: row i is the `row` elements from i · row. */
typedef struct br_slices_operand {
    br_value value;
    uint64_t row; /* elements */
    br_vk_access access;
} br_slices_operand;

/* Walks over all rows of several operands in pieces for which every operand fits its binding:
 *     br_slices_begin(&slices, emitter, rows, operands, 2);
 *     while (br_slices_next(&slices)) ... slices.first, slices.count, slices.piece[0]
 * Pieces are as large as they may be; where there are several, each but the last is a multiple of 4 rows (or 1 to 3, when no more fit). */
typedef struct br_slices {
    uint64_t first, count; /* rows of the current piece */
    br_slice piece[BR_VK_BINDING_MAX];
    const br_emitter *emitter; /* borrowed */
    uint64_t rows, step;
    int operand_count;
    br_slices_operand operands[BR_VK_BINDING_MAX];
} br_slices;

void br_slices_begin(br_slices *slices, const br_emitter *emitter, uint64_t rows, const br_slices_operand *operands,
                     int operand_count);
bool br_slices_next(br_slices *slices);

#endif
