#ifndef BR_SHADER_OPS_TIMESTEP_EMBEDDING
#define BR_SHADER_OPS_TIMESTEP_EMBEDDING

#include "common/abi.h"

#define BR_TIMESTEP_EMBEDDING_TIMES 0
#define BR_TIMESTEP_EMBEDDING_Y 1

/* As many as there are bits in the index of a frequency. */
#define BR_TIMESTEP_EMBEDDING_FACTORS 12

BR_PUSH(br_timestep_embedding_push,
    uint total; // items: pairs of all times, and the zeros of odd dims
    uint half_dim;
    uint dim;
    uint cos_first;
    uint factor_hi[12]; // max_period^(-2^k / (half_dim - shift)) in units of 2^-64: upper
    uint factor_lo[12]; // and lower half
)

#endif
