/* A graph with its plan, turned into a flat list of dispatches for one kind of device. Still pure CPU: `brume inspect` reads memory and FLOPs off it. */
#ifndef BR_EXEC_PROGRAM_H
#define BR_EXEC_PROGRAM_H

#include "graph/plan.h"
#include "ops/emit.h"

typedef struct br_program {
    br_graph *graph;  /* owned */
    const char *name; /* borrowed, a literal: "unet" */
    br_plan plan;
    br_op_dispatch *dispatches; /* owned, in execution order */
    int dispatch_count;
    uint64_t flops, bytes; /* of one run */
    uint64_t weight_bytes;
} br_program;

/* Verifies and plans `graph` (built by br_graph_init and constructors) and consumes it, on failure too. `caps` is read only during the call. */
BR_MUST_CHECK br_status br_program_create(br_graph *graph, const char *name, const br_vk_caps *caps, br_program **out_program);
/* The pipeline that a dispatch runs. */
br_vk_pipeline_params br_program_pipeline(const br_op_dispatch *dispatch);
void br_program_destroy(br_program *program);

#endif
