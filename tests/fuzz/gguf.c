/* Any bytes to br_gguf_parse; whatever is accepted is read at both ends of every tensor, blocks included. */
#include "weights/gguf.h"

#include "fuzz/weights.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_weights(br_gguf_parse, data, size);
    return 0;
}
