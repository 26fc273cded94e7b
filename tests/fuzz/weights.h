/* What the fuzzers of weight files share: whatever a parser accepts can be found by its name and read at both ends. */
#ifndef FUZZ_WEIGHTS_H
#define FUZZ_WEIGHTS_H

#include <stdlib.h>

#include "weights/weights.h"

static inline void fuzz_weights(br_weights_parser *parse, const uint8_t *data, size_t size)
{
    br_weights *weights = br_weights_create();
    if (!weights)
        return;
    br_status status = parse(weights, data, size, "input");
    if (!status)
        status = br_weights_seal(weights);
    for (int i = 0; !status && i < br_weights_count(weights); i++) {
        const br_tensor_view *view = br_weights_at(weights, i);
        float value;
        if (view->count) {
            br_weight_to_f32(view, 0, 1, &value);
            br_weight_to_f32(view, view->count - 1, 1, &value);
        }
        if (br_weights_find(weights, view->name) != view)
            abort();
    }
    br_status_free(status);
    br_weights_destroy(weights);
}

#endif
