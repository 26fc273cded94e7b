/* out[i] = factor · scale · x[i] + y[i]; factor is specialization constant 0. Bindings: 0 out, 1 x, 2 y, which may be the same memory. */
#ifndef BR_SAXPY_H
#define BR_SAXPY_H

#include "common/abi.h"

BR_PUSH(br_saxpy_push,
    uint count; /* elements */
    float scale;
)

#endif
