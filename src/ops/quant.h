/* What linear and embedding tell their shaders of a matrix of blocks. */
#ifndef BR_OPS_QUANT_H
#define BR_OPS_QUANT_H

#include <assert.h>

#include "common/quant.h"
#include "graph/tensor.h"

static_assert(BR_Q4_1 - BR_Q4_0 == BR_QUANT_Q4_1 && BR_Q5_0 - BR_Q4_0 == BR_QUANT_Q5_0 && BR_Q5_1 - BR_Q4_0 == BR_QUANT_Q5_1 &&
                  BR_Q8_0 - BR_Q4_0 == BR_QUANT_Q8_0 && BR_Q2_K - BR_Q4_0 == BR_QUANT_Q2_K && BR_Q3_K - BR_Q4_0 == BR_QUANT_Q3_K &&
                  BR_Q4_K - BR_Q4_0 == BR_QUANT_Q4_K && BR_Q5_K - BR_Q4_0 == BR_QUANT_Q5_K && BR_Q6_K - BR_Q4_0 == BR_QUANT_Q6_K,
              "shaders/common/quant.h counts differently");

/* Specialization constant QUANT of shaders/common/quant.glsl for a block type. */
static inline uint32_t br_quant_kind(br_dtype dtype)
{
    return (uint32_t)(dtype - BR_Q4_0);
}

#endif
