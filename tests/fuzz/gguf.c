/* Any bytes to br_gguf_parse; whatever is accepted is read at both ends of every tensor, blocks included. */
#include <stdint.h>
#include <stdlib.h>

#include "weights/gguf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    br_weights *weights = br_weights_create();
    if (!weights)
        return 0;
    br_status status = br_gguf_parse(weights, data, size, "input");
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
    return 0;
}
