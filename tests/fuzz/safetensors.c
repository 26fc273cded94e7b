/* Any bytes to br_safetensors_parse, as they are and with a header length that fits: a mutated one hardly ever does.
 * Whatever is accepted is read to its last element. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/weights.h"
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_weights(br_safetensors_parse, data, size);
    uint8_t *mended = malloc(size + 1);
    if (mended && size > 8) {
        memcpy(mended, data, size);
        mend_length(mended, size);
        fuzz_weights(br_safetensors_parse, mended, size);
    }
    free(mended);
    return 0;
}
