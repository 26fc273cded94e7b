/* Random weights in GGUF's blocks. */
#ifndef BR_TEST_BLOCKS_H
#define BR_TEST_BLOCKS_H

#include <stddef.h>
#include <stdint.h>

#include "weights/weights.h"

/* Bytes of `count` elements. */
size_t br_test_blocks_size(br_weight_dtype dtype, size_t count);
/* Blocks of random bytes, except that their 16-bit scales give the numbers about this root mean square: of both signs and many magnitudes, subnormal ones
 * among them where the type makes use of those. The same for the same seed. */
void br_test_blocks_random(br_weight_dtype dtype, size_t count, double rms, uint32_t seed, uint8_t *out_blocks);

#endif
