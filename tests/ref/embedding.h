/* y[b, t] = (table, extra)[tokens[b, t]] + positions[t], tokens clamped to both */
#ifndef BR_REF_EMBEDDING_H
#define BR_REF_EMBEDDING_H

#include <stdbool.h>
#include <stddef.h>

typedef struct br_ref_embedding_params {
    const float *tokens, *table;
    const float *positions, *extra; /* or NULL */
    size_t extra_count;
    size_t pictures, length, vocabulary, width;
} br_ref_embedding_params;

void br_ref_embedding(const br_ref_embedding_params *params, double *y);

#endif
