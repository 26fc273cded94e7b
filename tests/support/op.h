/* Runs a graph on the test device: the way every op test goes from a graph to numbers. */
#ifndef BR_TEST_OP_H
#define BR_TEST_OP_H

#include "graph/graph.h"
#include "support/device.h"
#include "support/test.h"

/* Host side of a value: always floats, converted to the value's dtype (f16 rounding, i32) on the way in and back on the way out. */
typedef struct br_test_tensor {
    br_value value;
    float *data;     /* borrowed; br_shape_count elements in the device's layout */
    const void *raw; /* inputs: the bytes themselves instead (the step buffer), or NULL; borrowed */
} br_test_tensor;

typedef struct br_test_run_params {
    br_test_device *device;
    br_graph *graph; /* verified here */
    const br_test_tensor *inputs;
    int input_count; /* INPUT, STATE and WEIGHT values; others start as poison (NaN) */
    const br_test_tensor *outputs;
    int output_count; /* OUTPUT and STATE values to read back */
    int replays;      /* 0 means 1 */
} br_test_run_params;

/* Everything on the device is poisoned with NaN first, the arena too. */
BR_MUST_CHECK br_status br_test_run(const br_test_run_params *params);

/* Uniform values in [-1, 1) from a seed; the same on every machine. */
void br_test_random(float *out_values, size_t count, uint32_t seed);
/* Rounds to what f16 storage holds, so that a reference starts from the same numbers. */
void br_test_round_f16(float *values, size_t count);

#endif
