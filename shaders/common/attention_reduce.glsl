// The softmax of ops/attention_matrix.comp by VK_NV_cooperative_matrix2: maxima and sums of rows, weights and their rounding to 16 bits stay in registers.
// MATRIX_N is MATRIX_K.
#ifndef BR_ATTENTION_REDUCE_GLSL
#define BR_ATTENTION_REDUCE_GLSL

SUMS maximum; // of products, as it lags: in every column that of the row
SUMS total;   // of weights, column by column

float larger(const in float a, const in float b)
{
    return max(a, b);
}

float sum_of(const in float a, const in float b)
{
    return a + b;
}

float larger_element(const in uint row, const in uint column, const in float a, const in float b)
{
    return max(a, b);
}

float masked(const in uint row, const in uint column, const in float score, const in uint row0, const in uint key0, const in uint first)
{
    return first + column - key0 < seen_keys(row0 + row) - key0 ? score : UNSEEN;
}

float decay_of(const in uint row, const in uint column, const in float from, const in float to)
{
    return exp2((from - to) * p.scale);
}

float weigh(const in uint row, const in uint column, const in float score, const in float highest)
{
    return exp2(fma(score, p.scale, WEIGHT_BITS - highest * p.scale));
}

void begin_softmax()
{
    maximum = SUMS(LOWEST);
    total = SUMS(0.0);
}

// What a block of keys from key0 on adds to the sums, for the rows from row0 on.
void add_block(uint row0, uint key0)
{
    SUMS products[TEAM]; // of all keys
    multiply_q_k(0, products);
    if (CAUSAL || key0 + KEYS > p.keys) {
        [[unroll]] for (uint c = 0; c < TEAM; c++)
            coopMatPerElementNV(products[c], products[c], masked, row0, key0, block_first(key0) + c * MATRIX_N);
    }
    SUMS high = products[0], higher;
    [[unroll]] for (uint c = 1; c < TEAM; c++)
        coopMatPerElementNV(high, high, larger_element, products[c]);
    coopMatReduceNV(higher, high, gl_CooperativeMatrixReduceRowNV, larger);
    coopMatPerElementNV(higher, higher, larger_element, maximum);
    bool rises = false;
    for (int i = 0; i < higher.length(); i++)
        rises = any(bvec2(rises, (higher[i] - maximum[i]) * p.scale > RISE_MAX));
    if (subgroupAny(rises)) {
        SUMS decay;
        coopMatPerElementNV(decay, maximum, decay_of, higher);
        maximum = higher;
        total *= decay;
        [[unroll]] for (uint c = 0; c < COLUMNS; c++)
            sums[c] *= decay;
    }
    [[unroll]] for (uint c = 0; c < TEAM; c++) {
        coopMatPerElementNV(products[c], products[c], weigh, maximum);
        total += products[c];
        add_weighted_v(LEFT(products[c]), c * MATRIX_N);
    }
}

void end_softmax()
{
    coopMatReduceNV(total, total, gl_CooperativeMatrixReduceRowNV, sum_of);
    [[unroll]] for (uint c = 0; c < COLUMNS; c++)
        sums[c] /= total;
}

vec4 average(vec4 sum)
{
    return sum;
}

#endif
