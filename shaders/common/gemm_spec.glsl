// Specialization of every shader that includes common/gemm.glsl; filled by br_gemm_specialize of src/ops/gemm.c in this order.
#ifndef BR_GEMM_SPEC_GLSL
#define BR_GEMM_SPEC_GLSL

layout(local_size_x_id = 0) in;
layout(constant_id = 1) const uint WX = 8;       // invocations along N; the others are along M
layout(constant_id = 2) const uint TM = 4;       // rows an invocation
layout(constant_id = 3) const uint TN = 4;       // columns an invocation
layout(constant_id = 4) const uint KQ = 4;       // quads of k a step
layout(constant_id = 5) const bool VEC = false;  // depth and all first elements are multiples of 4
layout(constant_id = 6) const int ACT = 0;       // br_activation
layout(constant_id = 7) const bool BIAS = false;
layout(constant_id = 8) const int RESIDUAL = 0;  // one of:
#define RESIDUAL_NONE 0
#define RESIDUAL_FULL 1 // of y's shape and type
#define RESIDUAL_ROW 2  // f32 [n], added to every row

const uint GEMM_ZERO = 0xffffffffu;

#endif
