// Specialization of every shader that includes common/gemm.glsl; filled by br_gemm_specialize of src/ops/gemm.c in this order.
#ifndef BR_GEMM_SPEC_GLSL
#define BR_GEMM_SPEC_GLSL

layout(local_size_x_id = 0) in;
// BR_UNROLLED: the form for CPU devices with every loop around a tile written out by spirv-opt, for a driver that does not (br_gemm_unrolls of src/ops/gemm.h), so
// what decides on their length is no specialization constant. The others keep their numbers.
#if BR_UNROLLED
const uint WX = 4;
const uint TM = 32;
const uint TN = 4;
const uint KQ = 1;
const int FLAGS = BR_GEGLU == 1 ? 17 : 19; // VEC and WHOLE, and VEC_STORE where GEMM_V is 4
const int ACT = BR_GEGLU * 7;              // GEMM_ACT_GEGLU, or none
#else
layout(constant_id = 1) const uint WX = 8;       // invocations along N; the others are along M
layout(constant_id = 2) const uint TM = 4;       // rows an invocation
layout(constant_id = 3) const uint TN = 4;       // columns an invocation
layout(constant_id = 4) const uint KQ = 4;       // quads of k a step
layout(constant_id = 5) const int FLAGS = 0;     // bits, see below
layout(constant_id = 6) const int ACT = 0;       // br_activation or GEMM_ACT_GEGLU
#endif
layout(constant_id = 7) const bool BIAS = false;
layout(constant_id = 8) const int RESIDUAL = 0;  // one of:
#define RESIDUAL_NONE 0
#define RESIDUAL_FULL 1 // of y's shape and type
#define RESIDUAL_ROW 2  // f32 [n], added to every row
#define RESIDUAL_GATE 3 // as FULL, but a factor

#if BR_MATRIX
// WX counts subgroups, TM and TN matrices of a subgroup; a multiplication is MATRIX_M × MATRIX_N × MATRIX_K.
layout(constant_id = 9) const uint MATRIX_M = 16;
layout(constant_id = 10) const uint MATRIX_N = 16;
layout(constant_id = 11) const uint MATRIX_K = 16;
layout(constant_id = 12) const uint SUBGROUP = 32;
layout(constant_id = 13) const uint STAGES = 1;
#define GEMM_SPEC_NEXT 14
#else
#define GEMM_SPEC_NEXT 9 // the first of those that an op adds
#endif

// Rows n of w are values, rows n + p.gate their gates, and y = value · gelu(gate). TN is even.
#define GEMM_ACT_GEGLU 7
const bool GEGLU = ACT == GEMM_ACT_GEGLU;
const uint GEMM_HALVES = GEGLU ? 2 : 1;

#if BR_MATRIX
const uint GEMM_V = 4;

uint gemm_column(uint slot)
{
    return slot / (MATRIX_N * GEMM_HALVES) * MATRIX_N + slot % MATRIX_N;
}

bool gemm_is_gate(uint slot)
{
    return slot / MATRIX_N % GEMM_HALVES == 1;
}
#else
// A tile's columns are slots; invocation tx has the slots tx + c · WX. Its first GEMM_V are neighbouring columns of y, so that it stores them together, the
// next as many, with GEGLU, their gates.
const uint GEMM_V = TN / GEMM_HALVES % 4 == 0 ? 4 : TN / GEMM_HALVES % 2 == 0 ? 2 : 1;

uint gemm_column(uint slot)
{
    uint c = slot / WX;
    return (c / (GEMM_V * GEMM_HALVES) * WX + slot % WX) * GEMM_V + c % GEMM_V;
}

bool gemm_is_gate(uint slot)
{
    return slot / WX / GEMM_V % GEMM_HALVES == 1;
}
#endif

// Which tile a workgroup makes: those along N follow one another; with BR_BROADCAST those along M, which read the same columns of w.
#if BR_BROADCAST
#define GEMM_TILES_M ((p.m + GEMM_BM - 1) / GEMM_BM)
#define GEMM_M0(group) ((group) % GEMM_TILES_M * GEMM_BM)
#define GEMM_N0(group) ((group) / GEMM_TILES_M * GEMM_BN)
#else
#define GEMM_M0(group) ((group) / p.tiles_n * GEMM_BM)
#define GEMM_N0(group) ((group) % p.tiles_n * GEMM_BN)
#endif

const bool VEC = (FLAGS & 1) != 0;    // x and w are loaded in fours: depth and all first elements are multiples of 4
// y is stored in fours, bias and residual loaded: N and all first elements are multiples of 4.
const bool VEC_STORE = (FLAGS & 2) != 0 && GEMM_V == 4;
const bool PACKED = (FLAGS & 4) != 0; // numbers of 16 bits stay packed until they are multiplied
const bool SPLIT = (FLAGS & 8) != 0;  // the depth is divided among p.parts workgroups, see common/gemm_parts.glsl
// Every tile is whole: none has columns past the end, and where the last rows would not fill one, it begins earlier and makes some once more. Of interest where
// a condition for every row is much of what its outputs cost.
const bool WHOLE = (FLAGS & 16) != 0;
const bool WHOLE_DEPTH = (FLAGS & 33) == 33; // depth is a multiple of a step, all first elements of 8, and VEC

// For CPU devices products with and without a residual are one pipeline.
#if BR_LANES
#define GEMM_ADDS_RESIDUAL (RESIDUAL == RESIDUAL_FULL && p.residual_first != BR_ABSENT)
#else
#define GEMM_ADDS_RESIDUAL (RESIDUAL == RESIDUAL_FULL)
#endif

const uint GEMM_ZERO = 0xffffffffu;

#endif
