/* A named set of tensors from one or several memory-mapped files. Opening touches headers only; tensor data is read when it is converted. */
#ifndef BR_WEIGHTS_WEIGHTS_H
#define BR_WEIGHTS_WEIGHTS_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "weights/dtype.h"

#define BR_WEIGHT_RANK_MAX 8

typedef struct br_tensor_view {
    const char *name;
    br_weight_dtype dtype;
    int rank;
    int64_t shape[BR_WEIGHT_RANK_MAX];
    const void *data; /* in the mapping, C order; not necessarily aligned */
    size_t size;      /* bytes */
} br_tensor_view;

typedef struct br_weights br_weights;

void br_weights_destroy(br_weights *weights);
int br_weights_count(const br_weights *weights);
/* Borrowed, in ascending order of names. */
const br_tensor_view *br_weights_at(const br_weights *weights, int index);
/* Borrowed; NULL when there is none. */
const br_tensor_view *br_weights_find(const br_weights *weights, const char *name);

/* Elements [first, first + count) as floats. */
void br_weight_to_f32(const br_tensor_view *view, size_t first, size_t count, float *out_values);

#endif
