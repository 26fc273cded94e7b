/* One op under test: a graph with random inputs, run and compared with a reference. Failures end the test. */
#ifndef BR_TEST_CASE_H
#define BR_TEST_CASE_H

#include "support/op.h"

/* What f32 arithmetic costs an op (docs/DESIGN.md), and what rounding the result to f16 (half a unit of 11 bits) adds to it. */
#define BR_TEST_F32_TOLERANCE 1e-5
#define BR_TEST_F16_TOLERANCE (1e-5 + 1.0 / 2048)

#define BR_TEST_CASE_INPUT_MAX 8

typedef struct br_test_case {
    br_graph graph;
    br_test_tensor inputs[BR_TEST_CASE_INPUT_MAX]; /* data is owned */
    int input_count;
} br_test_case;

void br_test_case_init(br_test_case *test);
void br_test_case_finish(br_test_case *test);
/* An INPUT of uniform values in [-1, 1), rounded to `dtype`. Integers are 0 until they are set. */
br_value br_test_case_input(br_test_case *test, const char *name, br_dtype dtype, br_shape shape);
/* Likewise a STATE. */
br_value br_test_case_state(br_test_case *test, const char *name, br_shape shape);
/* The values of an input: to read, or to change before the run. */
float *br_test_case_data(br_test_case *test, br_value value);
/* A copy of x that is a TEMP and dies in the next node, so that the node may work in place. */
br_value br_test_case_temp(br_test_case *test, br_value x);
/* Runs the graph on `device` and checks ‖y - expected‖ / ‖expected‖ <= tolerance. A TEMP becomes an OUTPUT. */
void br_test_case_check(br_test_case *test, br_test_device *device, br_value y, const double *expected, double tolerance);
/* The graph has to have failed with `text` in the message. */
void br_test_case_refused(br_test_case *test, const char *text);

double br_test_tolerance(br_dtype dtype);

/* The device as it is; one with the limits of poor devices: 4 KiB a binding, 128 invocations, few workgroups a dimension; and the first one again, taken for
 * a GPU, so that ops choose the variants that they choose there. */
typedef struct br_test_devices {
    br_test_device *full, *limited; /* owned */
    br_test_device gpu;             /* borrows from `full` */
    br_vk_caps gpu_caps;
} br_test_devices;

/* Group fixtures: *state is a br_test_devices. */
int br_test_devices_setup(void **state);
int br_test_devices_teardown(void **state);
/* Prints a line when it is false. */
bool br_test_has_f16(const br_test_device *device);

#endif
