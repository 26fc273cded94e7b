// The softmax of ops/attention_matrix.comp by what every device with matrix units has: which invocation holds which element of a matrix is not known, so scores,
// weights and the factors of the sums go through shared memory, where LANES neighbouring invocations of the subgroup own a row.
#ifndef BR_ATTENTION_STRIPS_GLSL
#define BR_ATTENTION_STRIPS_GLSL

const uint SCORES = KEY_COLUMNS * STRIP_QUADS; // of an invocation

shared f16vec4 weights[ROWS * KEY_STRIDE];

float maximum, total; // of products in this invocation's row, as it lags; of its weights
uint weight_row;      // the first quad of this invocation's row in `weights` that is its own

void begin_softmax()
{
    maximum = LOWEST;
    total = 0.0;
    weight_row = (gl_SubgroupID * MATRIX_M + gl_SubgroupInvocationID / LANES) * KEY_STRIDE + gl_SubgroupInvocationID % LANES;
}

// Turns the products into weights, which lie in shared memory at the next barrier. True: maxima rose, and the subgroup's strip has what the sums of each row are
// to be multiplied by.
bool update_softmax(uint row0, uint key0)
{
    vec4 score[SCORES];
    [[unroll]] for (uint c = 0; c < KEY_COLUMNS; c++) {
        pass_strip(products[c]);
        [[unroll]] for (uint i = 0; i < STRIP_QUADS; i++)
            score[c * STRIP_QUADS + i] = strips[strip + i * LANES];
    }
    if (CAUSAL || key0 + KEYS > p.keys) {
        uint seen = seen_keys(row0 + gl_SubgroupInvocationID / LANES) - key0, lane = gl_SubgroupInvocationID % LANES;
        [[unroll]] for (uint i = 0; i < SCORES; i++) {
            uint key = block_first(key0) - key0 + i / STRIP_QUADS * MATRIX_N + (lane + i % STRIP_QUADS * LANES) * 4;
            score[i] = mix(vec4(UNSEEN), score[i], lessThan(uvec4(key, key + 1, key + 2, key + 3), uvec4(seen)));
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

// What the products of a block of keys from key0 on, for the rows from row0 on, add to the sums.
void add_block(uint row0, uint key0)
{
    bool rises = update_softmax(row0, key0);
    subgroupBarrier(); // in no branch: lavapipe has the whole workgroup wait there
    if (rises) {
        SUMS factors;
        coopMatLoad(factors, strips, gl_SubgroupID * MATRIX_M * STRIP_STRIDE, STRIP_STRIDE, gl_CooperativeMatrixLayoutRowMajor);
        [[unroll]] for (uint c = 0; c < COLUMNS; c++)
            sums[c] *= factors;
    }
    [[unroll]] for (uint k = 0; k < KEYS; k += MATRIX_K) {
        LEFT weight;
        coopMatLoad(weight, weights, gl_SubgroupID * MATRIX_M * KEY_STRIDE + k / 4, KEY_STRIDE, gl_CooperativeMatrixLayoutRowMajor);
        add_weighted_v(weight, k);
    }
}

void end_softmax()
{
    [[unroll]] for (uint i = 1; i < LANES; i *= 2)
        total += subgroupShuffleXor(total, i);
}

// Of sums in this invocation's row.
vec4 average(vec4 sum)
{
    return sum / total;
}

#endif
