#version 450
// attention for matrix units (VK_KHR_cooperative_matrix): f16 · f16 -> f32. Each subgroup of a workgroup has MATRIX_M rows of one head: their q stays in its
// registers as matrices, and so do the sums. All subgroups walk over the keys in the blocks of common/attention_block.glsl. The softmax between the two products
// is that of common/attention_strips.glsl, or with BR_REDUCE that of common/attention_reduce.glsl.
//
// Weights are relative to 2^WEIGHT_BITS at a maximum that lags: only where a row's scores rise above it by more than a factor of 2^RISE_MAX are the sums scaled
// to a new one. The largest weight is then between 2^WEIGHT_BITS and 2^(WEIGHT_BITS + RISE_MAX), below the largest number of 16 bits and far above the smallest.
// p.scale is positive.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_cooperative_matrix : require
#if BR_REDUCE
#extension GL_NV_cooperative_matrix2 : require
#endif
#extension GL_KHR_memory_scope_semantics : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_shuffle : require
#extension GL_KHR_shader_subgroup_vote : require
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
#include "common/attention.glsl" // QUADS: of a head, padded to a multiple of the matrices' sides; VEC is true

layout(constant_id = 4) const uint MATRIX_M = 16;
layout(constant_id = 5) const uint MATRIX_N = 16;
layout(constant_id = 6) const uint MATRIX_K = 16;
layout(constant_id = 7) const uint SUBGROUP = 32; // a multiple of MATRIX_M
layout(constant_id = 8) const uint KEYS_AT_ONCE = 32; // of a block: fewer take fewer registers
layout(constant_id = 9) const bool PADDED = false;    // the head is narrower than QUADS

const uint THREADS = gl_WorkGroupSize.x;
const uint ROWS = THREADS / SUBGROUP * MATRIX_M;
const uint LANES = SUBGROUP / MATRIX_M;

#include "common/attention_block.glsl"

const uint STRIP_STRIDE = MATRIX_N / 4 + 1;
const uint STRIP_QUADS = MATRIX_N / 4 / LANES; // of an invocation
const uint DEPTH = QUADS * 4 / MATRIX_K;       // matrices of q
const uint QUERY_QUADS = MATRIX_M * MATRIX_K / 4; // of a matrix
const uint COLUMNS = QUADS * 4 / MATRIX_N;     // of the sums
const uint KEY_COLUMNS = KEYS / MATRIX_N;      // of the scores
const uint TEAM = KEYS_AT_ONCE / MATRIX_N;     // of them that are made together

layout(set = 0, binding = BR_ATTENTION_Q) readonly buffer br_q_words { uvec2 q_words[]; };

shared vec4 strips[ROWS * STRIP_STRIDE]; // a matrix for each subgroup, on its way between registers

const float WEIGHT_BITS = 11.0, RISE_MAX = 4.0;
const float UNSEEN = 1.1 * LOWEST; // of a key that is not seen: less than any maximum

#define SUMS coopmat<float, gl_ScopeSubgroup, MATRIX_M, MATRIX_N, gl_MatrixUseAccumulator>
#define LEFT coopmat<float16_t, gl_ScopeSubgroup, MATRIX_M, MATRIX_K, gl_MatrixUseA>
#define RIGHT coopmat<float16_t, gl_ScopeSubgroup, MATRIX_K, MATRIX_N, gl_MatrixUseB>

LEFT query[DEPTH];
SUMS sums[COLUMNS];
uint strip; // the first quad of this invocation's row in `strips` that is its own: those with the numbers lane % LANES, + LANES, …

// q_head: the first element of the head in row 0; row0: the subgroup's first one. Rows past the last one repeat it.
void load_query(uint q_head, uint row0)
{
    uint first = gl_SubgroupID * MATRIX_M * STRIP_STRIDE;
    [[unroll]] for (uint d = 0; d < DEPTH; d++) {
        subgroupBarrier();
        [[unroll]] for (uint i = 0; i < QUERY_QUADS; i += SUBGROUP) {
            uint at = i + gl_SubgroupInvocationID, row = at / (MATRIX_K / 4), quad = at % (MATRIX_K / 4), column = d * MATRIX_K + quad * 4;
            uvec2 words = q_words[(q_head + min(row0 + row, p.rows - 1) * p.q_stride + min(column, p.head_width - 4)) >> 2];
            vec2 value = uintBitsToFloat(mix(uvec2(0), words, bvec2(column < p.head_width)));
            if (QUERY_QUADS % SUBGROUP == 0 || at < QUERY_QUADS) {
                strips[first + row * STRIP_STRIDE + quad / 2][quad % 2 * 2] = value.x;
                strips[first + row * STRIP_STRIDE + quad / 2][quad % 2 * 2 + 1] = value.y;
            }
        }
        subgroupBarrier();
        coopMatLoad(query[d], strips, first, STRIP_STRIDE, gl_CooperativeMatrixLayoutRowMajor);
    }
}

// With the keys of the block in its matrices from number `first` on.
void multiply_q_k(uint first, out SUMS products[TEAM])
{
    [[unroll]] for (uint c = 0; c < TEAM; c++)
        products[c] = SUMS(0.0);
    [[unroll]] for (uint d = 0; d < DEPTH; d++) {
        [[unroll]] for (uint c = 0; c < TEAM; c++) {
            RIGHT keys;
            coopMatLoad(keys, slab, (first + c) * MATRIX_N * STRIDE + d * MATRIX_K / 4, STRIDE, gl_CooperativeMatrixLayoutColumnMajor);
            products[c] = coopMatMulAdd(query[d], keys, products[c]);
        }
    }
}

// Keys of the block from number k on.
void add_weighted_v(LEFT weight, uint k)
{
    [[unroll]] for (uint c = 0; c < COLUMNS; c++) {
        RIGHT values;
        coopMatLoad(values, slab, K_SIZE + c * MATRIX_N * KEY_STRIDE + k / 4, KEY_STRIDE, gl_CooperativeMatrixLayoutColumnMajor);
        sums[c] = coopMatMulAdd(weight, values, sums[c]);
    }
}

// Hands a matrix to the rows' owners.
void pass_strip(SUMS matrix)
{
    subgroupBarrier();
    coopMatStore(matrix, strips, gl_SubgroupID * MATRIX_M * STRIP_STRIDE, STRIP_STRIDE, gl_CooperativeMatrixLayoutRowMajor);
    subgroupBarrier();
}

// How many keys a row sees.
uint seen_keys(uint row)
{
    return CAUSAL ? min(p.keys, p.first_row + row + 1) : p.keys;
}

#if BR_REDUCE
#include "common/attention_reduce.glsl"
#else
#include "common/attention_strips.glsl"
#endif

void main()
{
    uint group = BR_GROUP_INDEX;
    if (group >= p.total)
        return;
    uint group_row = group % p.row_blocks * ROWS, rest = group / p.row_blocks;
    uint head = rest % p.heads, picture = rest / p.heads;
    uint row0 = group_row + gl_SubgroupID * MATRIX_M; // the subgroup's first
    uint key_end = CAUSAL ? min(p.keys, p.first_row + group_row + ROWS) : p.keys;

    find_keys(p.k_first + picture * p.keys * p.k_stride + head * p.head_width, p.v_first + picture * p.keys * p.v_stride + head * p.head_width);
    fetch_block(0);
    load_query(p.q_first + picture * p.rows * p.q_stride + head * p.head_width, row0);
    strip = (gl_SubgroupID * MATRIX_M + gl_SubgroupInvocationID / LANES) * STRIP_STRIDE + gl_SubgroupInvocationID % LANES;
    begin_softmax();
    [[unroll]] for (uint c = 0; c < COLUMNS; c++)
        sums[c] = SUMS(0.0);
    begin_block();
    for (uint key0 = 0; key0 < key_end; key0 += KEYS) {
        barrier();
        share_block();
        barrier();
        fetch_block(key0 + KEYS);
        add_block(row0, key0);
    }
    end_softmax();

    uint row = row0 + gl_SubgroupInvocationID / LANES;
    uint y_row = p.y_first + (picture * p.rows + row) * p.y_stride + head * p.head_width;
    [[unroll]] for (uint c = 0; c < COLUMNS; c++) {
        pass_strip(sums[c]);
        [[unroll]] for (uint i = 0; i < STRIP_QUADS; i++) {
            uint column = c * MATRIX_N + (gl_SubgroupInvocationID % LANES + i * LANES) * 4;
            if (row < p.rows && column < p.head_width)
                store_y(y_row, column, average(strips[strip + i * LANES]));
        }
    }
}
