#version 450
// attention for matrix units (VK_KHR_cooperative_matrix): f16 · f16 -> f32. Each subgroup of a workgroup has MATRIX_M rows of one head: their q stays in its
// registers as matrices, and so do the sums. All subgroups walk over the keys in the blocks of common/attention_block.glsl. Which invocation holds which element
// of a matrix is not known, so scores, weights and the factors of the sums go through shared memory, where LANES neighbouring invocations of the subgroup own a
// row.
//
// Weights are relative to 2^WEIGHT_BITS at a maximum that lags: only where a row's scores rise above it by more than a factor of 2^RISE_MAX are the sums scaled
// to a new one. The largest weight is then between 2^WEIGHT_BITS and 2^(WEIGHT_BITS + RISE_MAX), below the largest number of 16 bits and far above the smallest.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_cooperative_matrix : require
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
const uint SCORES = KEY_COLUMNS * STRIP_QUADS; // of an invocation

shared f16vec4 weights[ROWS * KEY_STRIDE]; // before there are any: q on its way
shared vec4 strips[ROWS * STRIP_STRIDE];     // a matrix for each subgroup

const float WEIGHT_BITS = 11.0, RISE_MAX = 4.0;
const float UNSEEN = 1.1 * LOWEST; // of a key that is not seen: less than any maximum

#define SUMS coopmat<float, gl_ScopeSubgroup, MATRIX_M, MATRIX_N, gl_MatrixUseAccumulator>
#define LEFT coopmat<float16_t, gl_ScopeSubgroup, MATRIX_M, MATRIX_K, gl_MatrixUseA>
#define RIGHT coopmat<float16_t, gl_ScopeSubgroup, MATRIX_K, MATRIX_N, gl_MatrixUseB>

LEFT query[DEPTH];
SUMS products[KEY_COLUMNS];
SUMS sums[COLUMNS];
float maximum, total; // of products in this invocation's row, as it lags; of its weights
uint strip, weight_row; // the first quads of this invocation's row in `strips` and `weights` that are its own

// q_head: the first element of the head in row 0; row0: the subgroup's first one. Rows past the last one repeat it.
void load_query(uint q_head, uint row0)
{
    uint first = gl_SubgroupID * MATRIX_M * KEY_STRIDE;
    [[unroll]] for (uint d = 0; d < DEPTH; d++) {
        subgroupBarrier();
        [[unroll]] for (uint i = 0; i < QUERY_QUADS; i += SUBGROUP) {
            uint at = i + gl_SubgroupInvocationID, row = at / (MATRIX_K / 4), column = d * MATRIX_K + at % (MATRIX_K / 4) * 4;
            f16vec4 value = q4[(q_head + min(row0 + row, p.rows - 1) * p.q_stride + min(column, p.head_width - 4)) >> 2];
            if (QUERY_QUADS % SUBGROUP == 0 || at < QUERY_QUADS)
                weights[first + row * KEY_STRIDE + at % (MATRIX_K / 4)] = mix(f16vec4(0.0), value, bvec4(column < p.head_width));
        }
        subgroupBarrier();
        coopMatLoad(query[d], weights, first, KEY_STRIDE, gl_CooperativeMatrixLayoutRowMajor);
    }
}

void multiply_q_k()
{
    [[unroll]] for (uint c = 0; c < KEY_COLUMNS; c++)
        products[c] = SUMS(0.0);
    [[unroll]] for (uint d = 0; d < DEPTH; d++) {
        [[unroll]] for (uint c = 0; c < KEY_COLUMNS; c++) {
            RIGHT keys;
            coopMatLoad(keys, slab, c * MATRIX_N * STRIDE + d * MATRIX_K / 4, STRIDE, gl_CooperativeMatrixLayoutColumnMajor);
            products[c] = coopMatMulAdd(query[d], keys, products[c]);
        }
    }
}

// Turns the products into weights, which lie in shared memory at the next barrier. True: maxima rose, and the subgroup's strip has what the sums of each row are
// to be multiplied by. p.scale is positive.
bool update_softmax(uint row, uint key0)
{
    vec4 score[SCORES];
    [[unroll]] for (uint c = 0; c < KEY_COLUMNS; c++) {
        subgroupBarrier();
        coopMatStore(products[c], strips, gl_SubgroupID * MATRIX_M * STRIP_STRIDE, STRIP_STRIDE, gl_CooperativeMatrixLayoutRowMajor);
        subgroupBarrier();
        [[unroll]] for (uint i = 0; i < STRIP_QUADS; i++)
            score[c * STRIP_QUADS + i] = strips[strip + i * LANES];
    }
    if (CAUSAL || key0 + KEYS > p.keys) {
        uint seen = CAUSAL ? min(p.keys, p.first_row + row + 1) : p.keys, lane = gl_SubgroupInvocationID % LANES;
        [[unroll]] for (uint i = 0; i < SCORES; i++) {
            uvec4 key = block_first(key0) + i / STRIP_QUADS * MATRIX_N + (lane + i % STRIP_QUADS * LANES) * 4 + uvec4(0, 1, 2, 3);
            score[i] = mix(vec4(UNSEEN), score[i], lessThan(key - key0, uvec4(seen - key0)));
        }
    }
    vec4 high = vec4(maximum);
    [[unroll]] for (uint i = 0; i < SCORES; i++)
        high = max(high, score[i]);
    float higher = max(max(high.x, high.y), max(high.z, high.w));
    [[unroll]] for (uint i = 1; i < LANES; i *= 2)
        higher = max(higher, subgroupShuffleXor(higher, i));
    bool rises = subgroupAny((higher - maximum) * p.scale > RISE_MAX);
    if (rises) {
        float decay = exp2((maximum - higher) * p.scale);
        maximum = higher;
        total *= decay;
        [[unroll]] for (uint i = 0; i < STRIP_QUADS; i++)
            strips[strip + i * LANES] = vec4(decay);
    }
    float shift = WEIGHT_BITS - maximum * p.scale;
    vec4 sum = vec4(0.0);
    [[unroll]] for (uint i = 0; i < SCORES; i++) {
        vec4 weight = exp2(fma(score[i], vec4(p.scale), vec4(shift)));
        sum += weight;
        weights[weight_row + i / STRIP_QUADS * MATRIX_N / 4 + i % STRIP_QUADS * LANES] = f16vec4(weight);
    }
    total += sum.x + sum.y + sum.z + sum.w;
    return rises;
}

void scale_sums()
{
    SUMS factors;
    coopMatLoad(factors, strips, gl_SubgroupID * MATRIX_M * STRIP_STRIDE, STRIP_STRIDE, gl_CooperativeMatrixLayoutRowMajor);
    [[unroll]] for (uint c = 0; c < COLUMNS; c++)
        sums[c] *= factors;
}

void add_weighted_v()
{
    [[unroll]] for (uint k = 0; k < KEYS; k += MATRIX_K) {
        LEFT weight;
        coopMatLoad(weight, weights, gl_SubgroupID * MATRIX_M * KEY_STRIDE + k / 4, KEY_STRIDE, gl_CooperativeMatrixLayoutRowMajor);
        [[unroll]] for (uint c = 0; c < COLUMNS; c++) {
            RIGHT values;
            coopMatLoad(values, slab, K_SIZE + c * MATRIX_N * KEY_STRIDE + k / 4, KEY_STRIDE, gl_CooperativeMatrixLayoutColumnMajor);
            sums[c] = coopMatMulAdd(weight, values, sums[c]);
        }
    }
}

void main()
{
    uint group = BR_GROUP_INDEX;
    if (group >= p.total)
        return;
    uint group_row = group % p.row_blocks * ROWS, rest = group / p.row_blocks;
    uint head = rest % p.heads, picture = rest / p.heads;
    uint row0 = group_row + gl_SubgroupID * MATRIX_M, row = row0 + gl_SubgroupInvocationID / LANES; // the subgroup's first, this invocation's
    uint k_head = p.k_first + picture * p.keys * p.k_stride + head * p.head_width;
    uint v_head = p.v_first + picture * p.keys * p.v_stride + head * p.head_width;
    uint key_end = CAUSAL ? min(p.keys, p.first_row + group_row + ROWS) : p.keys;

    find_keys(k_head, v_head);
    fetch_block(0);
    load_query(p.q_first + picture * p.rows * p.q_stride + head * p.head_width, row0);
    strip = (row - group_row) * STRIP_STRIDE + gl_SubgroupInvocationID % LANES;
    weight_row = (row - group_row) * KEY_STRIDE + gl_SubgroupInvocationID % LANES;
    maximum = LOWEST;
    total = 0.0;
    [[unroll]] for (uint c = 0; c < COLUMNS; c++)
        sums[c] = SUMS(0.0);
    for (uint key0 = 0; key0 < key_end; key0 += KEYS) {
        barrier();
        share_block();
        barrier();
        if (key0 + KEYS < key_end)
            fetch_block(key0 + KEYS);
        multiply_q_k();
        bool rises = update_softmax(row, key0);
        subgroupBarrier(); // in no branch: lavapipe has the whole workgroup wait there
        if (rises)
            scale_sums();
        add_weighted_v();
    }

    [[unroll]] for (uint i = 1; i < LANES; i *= 2)
        total += subgroupShuffleXor(total, i);
    uint y_row = p.y_first + (picture * p.rows + row) * p.y_stride + head * p.head_width;
    [[unroll]] for (uint c = 0; c < COLUMNS; c++) {
        subgroupBarrier();
        coopMatStore(sums[c], strips, gl_SubgroupID * MATRIX_M * STRIP_STRIDE, STRIP_STRIDE, gl_CooperativeMatrixLayoutRowMajor);
        subgroupBarrier();
        [[unroll]] for (uint i = 0; i < STRIP_QUADS; i++) {
            uint column = c * MATRIX_N + (gl_SubgroupInvocationID % LANES + i * LANES) * 4;
            if (row < p.rows && column < p.head_width)
                store_y(y_row, column, strips[strip + i * LANES] / total);
        }
    }
}
