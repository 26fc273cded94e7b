/* NumPy .npy files, versions 1.0 to 3.0, little endian, C order: what --dump-dir writes and --init-noise reads. */
#ifndef BR_BASE_NPY_H
#define BR_BASE_NPY_H

#include <stdint.h>

#include "base/status.h"

#define BR_NPY_MAX_RANK 8

typedef enum br_npy_type { BR_NPY_F32, BR_NPY_I32 } br_npy_type;

typedef struct br_npy {
    br_npy_type type;
    int rank;
    int64_t shape[BR_NPY_MAX_RANK];
    int64_t count; /* elements */
    void *data;    /* owned; float or int32_t */
} br_npy;

/* f4, f8, f2 files are read as BR_NPY_F32, i4 and i8 as BR_NPY_I32 (out-of-range values are an error).
 * Errors: BR_ERROR_NOT_FOUND, BR_ERROR_IO, BR_ERROR_FORMAT (with the path). On failure *out_npy is zeroed. */
BR_MUST_CHECK br_status br_npy_read(const char *path, br_npy *out_npy);
void br_npy_finish(br_npy *npy);
/* Written under a temporary name and renamed. */
BR_MUST_CHECK br_status br_npy_write(const char *path, br_npy_type type, const int64_t *shape, int rank, const void *data);

#endif
