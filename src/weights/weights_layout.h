/* What stands before the tensors of a file, for weights_writer.c. */
#ifndef BR_WEIGHTS_WEIGHTS_LAYOUT_H
#define BR_WEIGHTS_WEIGHTS_LAYOUT_H

#include "weights/weights_writer.h"

typedef struct br_weights_layout {
    uint8_t *header; /* owned */
    size_t header_size, header_capacity;
    size_t alignment; /* of every tensor, counted from the end of the header; gaps are zeros */
} br_weights_layout;

/* On failure out_layout->header is still to be freed. */
BR_MUST_CHECK br_status br_safetensors_layout(const br_weights_plan *plan, const char *path, br_weights_layout *out_layout);
BR_MUST_CHECK br_status br_gguf_layout(const br_weights_plan *plan, const char *path, br_weights_layout *out_layout);

/* Appends to the header. */
BR_MUST_CHECK br_status br_weights_layout_put(br_weights_layout *layout, const void *bytes, size_t size);

#endif
