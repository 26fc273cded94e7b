// The softmax of ops/attention_matrix.comp by what every device with matrix units has: which invocation holds which element of a matrix is not known, so scores,
// weights and the factors of the sums go through shared memory, where LANES neighbouring invocations of the subgroup own a row.
#ifndef BR_ATTENTION_STRIPS_GLSL
#define BR_ATTENTION_STRIPS_GLSL

const uint SCORES = KEY_COLUMNS * STRIP_QUADS; // of an invocation

shared uvec2 weights[ROWS * KEY_STRIDE];

float maximum, total; // of products in this invocation's row, as it lags; of its weights, unless PADDED: the matrix units add them up then
uint weight_row;      // the first quad of this invocation's row in `weights` that is its own

void begin_softmax()
{
    maximum = LOWEST;
    total = 0.0;
    weight_row = (gl_SubgroupID * MATRIX_M + gl_SubgroupInvocationID / LANES) * KEY_STRIDE + gl_SubgroupInvocationID % LANES;
}

vec4 scores[SCORES];

void make_scores(uint row0, uint key0)
{
    [[unroll]] for (uint first = 0; first < KEY_COLUMNS; first += TEAM) {
        SUMS products[TEAM];
        multiply_q_k(first, products);
        [[unroll]] for (uint c = 0; c < TEAM; c++) {
            pass_strip(products[c]);
            [[unroll]] for (uint i = 0; i < STRIP_QUADS; i++)
                scores[(first + c) * STRIP_QUADS + i] = strips[strip + i * LANES];
        }
    }
    if (CAUSAL || key0 + KEYS > p.keys) {
        uint seen = seen_keys(row0 + gl_SubgroupInvocationID / LANES) - key0, lane = gl_SubgroupInvocationID % LANES;
        [[unroll]] for (uint i = 0; i < SCORES; i++) {
            uint key = block_first(key0) - key0 + i / STRIP_QUADS * MATRIX_N + (lane + i % STRIP_QUADS * LANES) * 4;
            scores[i] = mix(vec4(UNSEEN), scores[i], lessThan(uvec4(key, key + 1, key + 2, key + 3), uvec4(seen)));
        }
    }
}

// Turns the scores into weights, which lie in shared memory at the next barrier. True: maxima rose, and the subgroup's strip has what the sums of each row are
// to be multiplied by.
bool weigh_scores()
{
    vec4 high = vec4(maximum);
    [[unroll]] for (uint i = 0; i < SCORES; i++)
        high = max(high, scores[i]);
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
        vec4 weight = exp2(fma(scores[i], vec4(p.scale), vec4(shift)));
        sum += weight;
        f16vec4 halves = f16vec4(weight);
        // packHalf2x16 may round towards zero, two at a time: what is lost is missing from the weights' own sum too, but only where that is made of halves.
        uvec2 words = PADDED ? uvec2(packHalf2x16(weight.xy), packHalf2x16(weight.zw)) : uvec2(packFloat2x16(halves.xy), packFloat2x16(halves.zw));
        weights[weight_row + i / STRIP_QUADS * MATRIX_N / 4 + i % STRIP_QUADS * LANES] = words;
    }
    if (!PADDED)
        total += sum.x + sum.y + sum.z + sum.w;
    return rises;
}

// Of the keys of a block from number k on.
void add_keys(uint k)
{
    LEFT weight;
    coopMatLoad(weight, weights, gl_SubgroupID * MATRIX_M * KEY_STRIDE + k / 4, KEY_STRIDE, gl_CooperativeMatrixLayoutRowMajor);
    add_weighted_v(weight, k);
}

// What a block of keys from key0 on adds to the sums, for the rows from row0 on.
void add_block(uint row0, uint key0)
{
    make_scores(row0, key0);
    bool rises = weigh_scores();
    subgroupBarrier(); // in no branch: lavapipe has the whole workgroup wait there
    if (rises) {
        SUMS factors;
        coopMatLoad(factors, strips, gl_SubgroupID * MATRIX_M * STRIP_STRIDE, STRIP_STRIDE, gl_CooperativeMatrixLayoutRowMajor);
        [[unroll]] for (uint c = 0; c < COLUMNS; c++)
            sums[c] *= factors;
    }
    if (KEYS_AT_ONCE < KEYS) { // a loop, out of which no driver takes loads
        [[dont_unroll]] for (uint k = 0; k < KEYS; k += MATRIX_K)
            add_keys(k);
    } else {
        [[unroll]] for (uint k = 0; k < KEYS; k += MATRIX_K)
            add_keys(k);
    }
}

void end_softmax()
{
    if (PADDED) {
        pass_strip(sums[COLUMNS - 1]);
        total = strips[strip - gl_SubgroupInvocationID % LANES + MATRIX_N / 4 - 1].w;
    } else {
        [[unroll]] for (uint i = 1; i < LANES; i *= 2)
            total += subgroupShuffleXor(total, i);
    }
}

// Of sums in this invocation's row.
vec4 average(vec4 sum)
{
    return sum / total;
}

#endif
