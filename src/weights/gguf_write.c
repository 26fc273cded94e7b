#include <string.h>

#include "weights/gguf.h"
#include "weights/weights_layout.h"

#define VERSION 3

static br_status put_number(br_weights_layout *layout, uint64_t value, size_t bytes)
{
    uint8_t number[8];
    for (size_t i = 0; i < bytes; i++)
        number[i] = (uint8_t)(value >> 8 * i);
    return br_weights_layout_put(layout, number, bytes);
}

static br_status put_text(br_weights_layout *layout, const char *text)
{
    BR_TRY(put_number(layout, strlen(text), 8));
    return br_weights_layout_put(layout, text, strlen(text));
}

static br_status put_entry(br_weights_layout *layout, const br_metadata *entry)
{
    BR_TRY(put_text(layout, entry->key));
    BR_TRY(put_number(layout, entry->value ? (uint64_t)entry->gguf_type : BR_GGUF_STRING, 4));
    return entry->value ? br_weights_layout_put(layout, entry->value, entry->size) : put_text(layout, entry->text);
}

static br_status put_tensor(br_weights_layout *layout, const br_tensor_view *tensor, const char *path, uint64_t offset)
{
    if (tensor->rank > BR_GGUF_RANK_MAX)
        return br_fail(BR_ERROR_UNSUPPORTED, "%s: tensor \"%.200s\" has %d dimensions, and GGUF files at most %d", path,
                       tensor->name, tensor->rank, BR_GGUF_RANK_MAX);
    BR_TRY(put_text(layout, tensor->name));
    /* A scalar is written as one element: not every reader takes a tensor without dimensions. */
    BR_TRY(put_number(layout, tensor->rank ? (uint64_t)tensor->rank : 1, 4));
    for (int i = tensor->rank - 1; i >= 0; i--)
        BR_TRY(put_number(layout, (uint64_t)tensor->shape[i], 8));
    if (tensor->rank == 0)
        BR_TRY(put_number(layout, 1, 8));
    BR_TRY(put_number(layout, (uint64_t)br_gguf_tensor_type(tensor->dtype), 4));
    return put_number(layout, offset, 8);
}

br_status br_gguf_layout(const br_weights_plan *plan, const char *path, br_weights_layout *out_layout)
{
    static const uint8_t zeros[BR_GGUF_ALIGNMENT];
    uint64_t offset = 0;
    out_layout->alignment = BR_GGUF_ALIGNMENT;
    BR_TRY(br_weights_layout_put(out_layout, "GGUF", 4));
    BR_TRY(put_number(out_layout, VERSION, 4));
    BR_TRY(put_number(out_layout, (uint64_t)plan->count, 8));
    BR_TRY(put_number(out_layout, (uint64_t)plan->metadata_count, 8));
    for (int i = 0; i < plan->metadata_count; i++)
        BR_TRY(put_entry(out_layout, &plan->metadata[i]));
    for (int i = 0; i < plan->count; i++) {
        BR_TRY(put_tensor(out_layout, &plan->tensors[i], path, offset));
        offset += (plan->tensors[i].size + BR_GGUF_ALIGNMENT - 1) / BR_GGUF_ALIGNMENT * BR_GGUF_ALIGNMENT;
    }
    size_t gap = (BR_GGUF_ALIGNMENT - out_layout->header_size % BR_GGUF_ALIGNMENT) % BR_GGUF_ALIGNMENT;
    return br_weights_layout_put(out_layout, zeros, gap);
}
