/* Which tiles of matrix products a device is fastest with: measured, and held against the host's own arithmetic. */
#ifndef BR_EXEC_TUNE_H
#define BR_EXEC_TUNE_H

#include "vk/device.h"

/* Fields as in brume/tune.h. */
typedef struct br_tuning_row {
    const char *shape, *candidate; /* static text */
    int m, n, k;
    double gflops, error;
    bool right, is_default, chosen;
} br_tuning_row;

typedef struct br_tuning {
    br_tuning_row rows[BR_VK_TUNED_SHAPES * BR_VK_TUNED_TILES];
    int count;
    uint8_t tile[BR_VK_TUNED_SHAPES]; /* as caps->tuned_tile */
    double seconds;                   /* that it took */
} br_tuning;

typedef struct br_tuning_params {
    br_vk_device *device; /* borrowed; nothing of it is changed */
    const br_vk_caps
        *caps;      /* borrowed; those that ops choose by: the device's own, or as if it were another kind of device (tests) */
    double seconds; /* after which no further shape is begun */
    int divisor;    /* of the products' depth and number, for tests: 1 */
} br_tuning_params;
/* A candidate that cannot be built is one whose numbers are not right. Errors: BR_ERROR_DEVICE_LOST. */
BR_MUST_CHECK br_status br_tuning_search(const br_tuning_params *params, br_tuning *out_tuning);
/* Marks the row that wins: the fastest whose numbers were right, unless the default is right and nearly as fast; the default when none was right. Returns its
 * index. */
int br_tuning_pick(br_tuning_row *rows, int count);

#endif
