/* Storage for the TEMP values of a graph: liveness, then offsets in one arena (largest or longest-lived first, into the tightest gap). Pure CPU. */
#ifndef BR_GRAPH_PLAN_H
#define BR_GRAPH_PLAN_H

#include "graph/graph.h"

typedef struct br_plan {
    int value_count;
    int64_t *offsets;  /* owned; bytes in the arena for roots of kind TEMP that are used, -1 for all other values */
    int *first, *last; /* owned; node that makes and node that last reads each root, -1 when neither */
    int64_t arena_bytes;
    int64_t lower_bound_bytes; /* the most that is alive at one node: no plan can be smaller */
} br_plan;

/* Offsets are multiples of `alignment` bytes (a power of two, at least 16). `graph` has passed br_graph_verify. */
BR_MUST_CHECK br_status br_plan_init(const br_graph *graph, int64_t alignment, br_plan *out_plan);
void br_plan_finish(br_plan *plan);

#endif
