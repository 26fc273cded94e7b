/* How a program runs with less memory than its weights take: the weights in chunks, each with a place in a pool, some of which stay there while others take
 * turns in two slots; and the dispatches in segments, each of which needs one chunk of the others. Pure CPU.
 *
 * Addresses are bytes of the pool. The arena of the program lies at 0, the slots after it, what stays as far behind as there is room. */
#ifndef BR_EXEC_CUT_H
#define BR_EXEC_CUT_H

#include "exec/program.h"

/* Weights that are brought in together: those that dispatches [first, last] need and no earlier chunk holds. */
typedef struct br_chunk {
    int first, last;
    uint64_t address, bytes;
    bool streamed; /* its slot is another one's too */
} br_chunk;

typedef struct br_cut {
    br_chunk *chunks; /* owned; in the order of their dispatches */
    int chunk_count;
    int *chunk_of;       /* owned; of each value that is a weight, else -1 */
    uint64_t *offset_of; /* owned; bytes in that chunk */
    int *segments;       /* owned; [segment_count + 1]: dispatch that each begins with, and the number of dispatches */
    int segment_count;
    uint64_t resident_bytes, streamed_bytes; /* a run reads the latter anew */
} br_cut;

typedef struct br_cut_params {
    const br_program *program;
    uint64_t pool_bytes; /* in all, and */
    uint64_t
        bank_bytes; /* in each of the buffers that it consists of, a multiple of 256: nothing lies in two of them; the arena is in the first */
} br_cut_params;

/* On BR_ERROR_OUT_OF_DEVICE_MEMORY, which says what the least is, *out_cut is zeroed. */
BR_MUST_CHECK br_status br_cut_init(const br_cut_params *params, br_cut *out_cut);
void br_cut_finish(br_cut *cut);
/* The smallest pool, and the smallest in which nothing is streamed, both in one bank. */
typedef struct br_cut_need {
    uint64_t least, whole;
} br_cut_need;
BR_MUST_CHECK br_status br_cut_find_need(const br_program *program, br_cut_need *out_need);

#endif
