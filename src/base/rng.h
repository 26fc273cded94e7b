/* Standard normal noise as other tools draw it, so that a seed carries over. Not thread-safe. */
#ifndef BR_BASE_RNG_H
#define BR_BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

typedef enum br_rng_kind {
    BR_RNG_CPU,  /* torch.Generator("cpu"): mt19937 */
    BR_RNG_CUDA, /* torch.Generator("cuda"): Philox4x32-10 */
} br_rng_kind;

typedef struct br_rng {
    br_rng_kind kind;
    uint64_t seed;
    uint32_t mt[624]; /* BR_RNG_CPU */
    int mt_index;
    int has_spare; /* second normal of a Box-Muller pair that the scalar path keeps */
    double spare;
    uint64_t philox_offset; /* BR_RNG_CUDA: advances by each call as PyTorch's generator does */
} br_rng;

void br_rng_init(br_rng *rng, br_rng_kind kind, uint64_t seed);
/* What torch.randn(count, generator=g) returns for float32; consecutive calls continue the stream as consecutive torch.randn calls
 * do.
 *
 * BR_RNG_CPU: from 16 values on PyTorch fills blocks with float arithmetic, below it draws one by one in double: both are here.
 * Its own builds (AVX-512, AVX2, NEON, scalar) differ from one another in the last bits.
 * BR_RNG_CUDA: the layout of a GPU that runs one thread a value. A GPU of S multiprocessors with 2,048 threads each does so up to
 * S · 2,048 values; beyond, PyTorch's own result depends on the GPU, and what is here is what other tools give on the CPU. */
void br_rng_normal(br_rng *rng, float *out_values, size_t count);

/* The Philox4x32-10 block function of Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (2011). */
void br_philox4x32_10(const uint32_t counter[4], const uint32_t key[2], uint32_t out_words[4]);

#endif
