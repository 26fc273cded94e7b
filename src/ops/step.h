/* The step buffer as a value of the graph; its constructor br_graph_step is declared in op.h. */
#ifndef BR_OPS_STEP_H
#define BR_OPS_STEP_H

#include "ops/op.h"

/* Constructors' check: records an error unless `step` has the type and size of a br_step. */
bool br_step_check(br_graph *graph, const char *name, br_value step);

/* What the step reads beside its buffer is f32 of the expected shape: records an error that names its role and returns false otherwise. */
bool br_step_check_f32(br_graph *graph, const char *name, const char *role, br_value value, br_shape expected);

#endif
