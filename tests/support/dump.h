/* What a run dumped and what it should have been. */
#ifndef BR_TEST_DUMP_H
#define BR_TEST_DUMP_H

#include "base/npy.h"
#include "weights/weights.h"

/* NAME.npy of the folder "dump" in the scratch folder. The caller finishes it. */
br_npy br_test_dump(const char *name);
/* A tensor as f32, test_malloc'd. */
float *br_test_values(const br_weights *file, const char *name, size_t *out_count);

#endif
