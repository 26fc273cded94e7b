#include "ops/slice.h"

#include <assert.h>
#include <string.h>

/* Bytes of consecutive elements; whole rows where the type has blocks. */
static uint64_t bytes_of(const br_emitter *emitter, br_value value, uint64_t count)
{
    br_dtype dtype = br_graph_dtype(emitter->graph, value);
    if (br_dtype_block(dtype) == 1)
        return count * (uint64_t)br_dtype_size(dtype);
    int64_t columns = br_shape_last(br_graph_shape(emitter->graph, value));
    assert(count % (uint64_t)columns == 0);
    return count / (uint64_t)columns * (uint64_t)br_dtype_row_bytes(dtype, columns);
}

br_slice br_slice_make(const br_emitter *emitter, br_value value, uint64_t first, uint64_t count, br_vk_access access)
{
    uint64_t size = (uint64_t)br_dtype_size(br_graph_dtype(emitter->graph, value));
    uint64_t begin = bytes_of(emitter, value, first), end = begin + bytes_of(emitter, value, count);
    uint64_t offset = begin - begin % emitter->caps->storage_alignment;
    return (br_slice){
        .operand = {.value = value, .offset = offset, .size = end - offset, .access = access},
        .skip = (uint32_t)((begin - offset) / size),
    };
}

uint64_t br_slice_rows(const br_emitter *emitter, br_value value, uint64_t row)
{
    const br_vk_caps *caps = emitter->caps;
    uint64_t size = (uint64_t)br_dtype_size(br_graph_dtype(emitter->graph, value));
    uint64_t count = (uint64_t)br_shape_count(br_graph_shape(emitter->graph, value));
    if (bytes_of(emitter, value, count) <= caps->max_storage_range)
        return count / row;
    /* Aligning the start downwards costs up to one alignment less one element. */
    uint64_t lost = caps->storage_alignment > size ? caps->storage_alignment - size : 0;
    return lost < caps->max_storage_range ? (caps->max_storage_range - lost) / bytes_of(emitter, value, row) : 0;
}

void br_slices_begin(br_slices *slices, const br_emitter *emitter, uint64_t rows, const br_slices_operand *operands,
                     int operand_count)
{
    *slices = (br_slices){.emitter = emitter, .rows = rows, .step = rows, .operand_count = operand_count};
    memcpy(slices->operands, operands, (size_t)operand_count * sizeof *operands);
    for (int i = 0; i < operand_count; i++) {
        uint64_t fit = br_slice_rows(emitter, operands[i].value, operands[i].row);
        if (fit < slices->step)
            slices->step = fit;
    }
    if (slices->step < rows && slices->step >= 4)
        slices->step -= slices->step % 4;
    /* A row that fits nowhere is refused by br_emit_dispatch, which knows how to say so. */
    if (slices->step == 0)
        slices->step = 1;
}

bool br_slices_next(br_slices *slices)
{
    slices->first += slices->count;
    if (slices->first >= slices->rows)
        return false;
    uint64_t left = slices->rows - slices->first;
    slices->count = left < slices->step ? left : slices->step;
    for (int i = 0; i < slices->operand_count; i++) {
        const br_slices_operand *operand = &slices->operands[i];
        slices->piece[i] = br_slice_make(slices->emitter, operand->value, slices->first * operand->row,
                                         slices->count * operand->row, operand->access);
    }
    return true;
}
