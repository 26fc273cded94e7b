/* Any bytes to br_safetensors_parse, as they are and with a header length that fits: a mutated one hardly ever does.
 * Whatever is accepted is read to its last element. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "weights/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The header ends behind the last brace of the input. */
static void mend_length(uint8_t *data, size_t size)
{
    size_t end = size;
    while (end > 8 && data[end - 1] != '}')
        end--;
    for (int i = 0; i < 8; i++)
        data[i] = (uint8_t)((uint64_t)(end - 8) >> 8 * i);
}

static void parse(const uint8_t *data, size_t size)
{
    br_weights *weights = br_weights_create();
    if (!weights)
        return;
    br_status status = br_safetensors_parse(weights, data, size, "input");
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    parse(data, size);
    uint8_t *mended = malloc(size + 1);
    if (mended && size > 8) {
        memcpy(mended, data, size);
        mend_length(mended, size);
        parse(mended, size);
    }
    free(mended);
    return 0;
}
