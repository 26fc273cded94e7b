/* Which form of the matrix products, and of attention, is fastest on a device: measured once, checked against the host's own arithmetic, and remembered per device and driver. */
#ifndef BRUME_TUNE_H
#define BRUME_TUNE_H

#include "brume/device.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct br_tune_row {
    const char *
        shape; /* "large", "medium", "small": how many workgroups the output gives; "q8_0": with a matrix in blocks; "attention"; static text */
    int m, n, k; /* what was multiplied; of attention queries, columns of all heads, keys */
    const char *
        candidate; /* a tile ("64x64") or "matrix" (units); of blocks "plain" or "integer dot"; of attention "ordinary", "matrix", "reduce"; static text */
    double gflops; /* a second; 0: not measured */
    double error;  /* relative to the host's result in double precision; negative: not measured */
    bool right;    /* the error is within what the storage allows */
    bool is_default; /* what the class of device and the driver's claims suggest */
    bool chosen;     /* used from now on: "matrix" for products in f16, the chosen tile for the others */
} br_tune_row;

#define BR_TUNE_ROWS_MAX 20
typedef struct br_tune_result {
    br_tune_row rows[BR_TUNE_ROWS_MAX]; /* none on a CPU device, whose form is fixed */
    int count;
    double seconds; /* that it took */
} br_tune_result;

/* Searches for about `seconds` at most (0: 2), uses and remembers the result. A pipeline that is created on a GPU for the first time does the same. */
BR_API BR_MUST_CHECK br_status br_device_tune(br_device *device, double seconds, br_tune_result *out_result);
/* Forgets what was remembered. */
BR_API void br_device_forget_tuning(br_device *device);

#ifdef __cplusplus
}
#endif
#endif
