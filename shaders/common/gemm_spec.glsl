// Specialization of every shader that includes common/gemm.glsl; filled by br_gemm_specialize of src/ops/gemm.c in this order.
#ifndef BR_GEMM_SPEC_GLSL
#define BR_GEMM_SPEC_GLSL

layout(local_size_x_id = 0) in;
layout(constant_id = 1) const uint WX = 8;       // invocations along N; the others are along M
layout(constant_id = 2) const uint TM = 4;       // rows an invocation
layout(constant_id = 3) const uint TN = 4;       // columns an invocation
layout(constant_id = 4) const uint KQ = 4;       // quads of k a step
layout(constant_id = 5) const bool VEC = false;  // depth and all first elements are multiples of 4
layout(constant_id = 6) const int ACT = 0;       // br_activation or GEMM_ACT_GEGLU
layout(constant_id = 7) const bool BIAS = false;
layout(constant_id = 8) const int RESIDUAL = 0;  // one of:
#define RESIDUAL_NONE 0
#define RESIDUAL_FULL 1 // of y's shape and type
#define RESIDUAL_ROW 2  // f32 [n], added to every row
#define RESIDUAL_GATE 3 // as FULL, but a factor

// Rows n of w are values, rows n + p.gate their gates, and y = value · gelu(gate). Of an invocation's columns the even ones are values, each followed by
// its gate, so that TN is even.
#define GEMM_ACT_GEGLU 7
const bool GEGLU = ACT == GEMM_ACT_GEGLU;
const uint GEMM_HALVES = GEGLU ? 2 : 1;

const uint GEMM_ZERO = 0xffffffffu;

#endif
