/* attention: y = softmax(scale · q kᵀ) v by heads, with the softmax kept up to date block by block of keys (Milakov and Gimelshein, arXiv 1805.02867;
 * Dao et al., arXiv 2205.14135). attention.comp is the form for GPUs, attention_broadcast.comp the one for those without
 * memory of their own to share, attention_matrix.comp the one for matrix units, attention_lanes.comp the one for CPU devices. */
#ifndef BR_ATTENTION_H
#define BR_ATTENTION_H

#include "common/abi.h"

#define BR_ATTENTION_Q 0 /* X_T: D columns of [pictures, Tq, q_stride], or of some rows of one picture */
#define BR_ATTENTION_K 1 /* X_T: D columns of [pictures, Tk, k_stride] */
#define BR_ATTENTION_V 2 /* X_T: D columns of [pictures, Tk, v_stride] */
#define BR_ATTENTION_Y 3 /* X_T [pictures, Tq, D], or some rows of one picture */
#define BR_ATTENTION_BINDINGS 4

#define BR_ATTENTION_MATRIX_KEYS 32 /* a block of attention_matrix.comp: a multiple of the matrices' sides */

/* The *_first are elements between the start of a binding's range and the first column of its first row. */
BR_PUSH(br_attention_push,
    uint total;      /* workgroups */
    uint row_blocks; /* workgroups along the rows */
    uint parts;      /* workgroups along the columns of a head */
    uint heads;
    uint rows;       /* of q in a picture of this dispatch */
    uint first_row;  /* of the picture's rows, for the causal mask */
    uint keys;       /* Tk */
    uint head_width; /* D / heads */
    uint q_stride;   /* elements from a row to the next */
    uint k_stride;
    uint v_stride;
    uint y_stride;   /* D */
    float scale;     /* times log2(e): the exponentials are powers of two */
    uint q_first;
    uint k_first;
    uint v_first;
    uint y_first;
)

#endif
