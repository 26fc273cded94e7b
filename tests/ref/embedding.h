/* y[b, t] = table[tokens[b, t]] + positions[t], tokens clamped to the table */
#ifndef BR_REF_EMBEDDING_H
#define BR_REF_EMBEDDING_H

#include <stdbool.h>
#include <stddef.h>

typedef struct br_ref_embedding_params {
    const float *tokens, *table;
    const float *positions; /* or NULL */
    size_t pictures, length, vocabulary, width;
} br_ref_embedding_params;

void br_ref_embedding(const br_ref_embedding_params *params, double *y);

#endif
