#include "support/dump.h"

#include <stdio.h>

#include "support/scratch.h"
#include "support/test.h"

br_npy br_test_dump(const char *name)
{
    char path[1024];
    br_npy npy;
    snprintf(path, sizeof path, "%s/%s.npy", br_scratch_path("dump"), name);
    assert_status_ok(br_npy_read(path, &npy));
    return npy;
}

float *br_test_values(const br_weights *file, const char *name, size_t *out_count)
{
    const br_tensor_view *view = br_weights_find(file, name);
    assert_non_null(view);
    float *values = test_malloc(view->count * sizeof *values);
    br_weight_to_f32(view, 0, view->count, values);
    *out_count = view->count;
    return values;
}
