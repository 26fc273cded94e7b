/* The plainest attention, in double: one row of scores at a time. */
#ifndef BR_REF_ATTENTION_H
#define BR_REF_ATTENTION_H

#include <stdbool.h>

typedef struct br_ref_attention_params {
    int pictures, queries, keys, heads, head_width;
    double scale;
    bool causal;
    const float *q;     /* [B, Tq, D] */
    const float *k, *v; /* [B, Tk, D] */
} br_ref_attention_params;

void br_ref_attention(const br_ref_attention_params *params, double *out_y); /* [B, Tq, D] */

#endif
