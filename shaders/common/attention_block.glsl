// What the workgroups of ops/attention_matrix.comp share: a block of KEYS keys, k as it is and v transposed, while the next block is on its way.
// There are at least KEYS of them. The last block begins earlier where it would not be full, and keys that it repeats weigh nothing. Columns past the head's width
// repeat its last ones in k, where q has zeros; in v they are ones, so that the sums there are those of the weights. So loads need neither branches nor choices, and
// follow one another. Halves move as words: drivers take them apart one by one otherwise.
//
// Strides are an odd number of 16 bytes, so that eight rows begin in different groups of banks.
#ifndef BR_ATTENTION_BLOCK_GLSL
#define BR_ATTENTION_BLOCK_GLSL

layout(set = 0, binding = BR_ATTENTION_K) readonly buffer br_k8 { uvec4 k8[]; };
layout(set = 0, binding = BR_ATTENTION_V) readonly buffer br_v_words { uvec2 v_words[]; };

const uint KEYS = BR_ATTENTION_MATRIX_KEYS;
const uint STRIDE = QUADS + 2;        // of k
const uint KEY_STRIDE = KEYS / 4 + 2; // of v, and of weights
const uint K_SIZE = KEYS * STRIDE;
const uint K_UNITS = KEYS * QUADS / 2; // of eight columns
const uint V_UNITS = KEYS / 4 * QUADS; // of four keys and four columns
const uint K_PASSES = (K_UNITS + THREADS - 1) / THREADS;
const uint V_PASSES = (V_UNITS + THREADS - 1) / THREADS;

shared uvec2 slab[K_SIZE + QUADS * 4 * KEY_STRIDE];

uint k_at[K_PASSES], v_at[V_PASSES * 4]; // where this invocation loads the first block, in eights and fours
uvec4 k_next[K_PASSES];
uvec2 v_next[V_PASSES * 4];

// Of a unit of v: two neighbouring invocations load 16 bytes of a row, every second of them stores to the same columns.
uint unit_quad(uint unit)
{
    return unit / (KEYS / 2) * 2 + unit % 2;
}

uint unit_keys(uint unit)
{
    return unit / 2 % (KEYS / 4);
}

void find_keys(uint k_head, uint v_head)
{
    [[unroll]] for (uint i = 0; i < K_PASSES; i++) {
        uint at = gl_LocalInvocationIndex + i * THREADS, key = min(at / (QUADS / 2), KEYS - 1);
        k_at[i] = (k_head + key * p.k_stride + min(at % (QUADS / 2) * 8, p.head_width - 8)) / 8;
    }
    [[unroll]] for (uint i = 0; i < V_PASSES * 4; i++) {
        uint unit = gl_LocalInvocationIndex + i / 4 * THREADS;
        v_at[i] = (v_head + (unit_keys(unit) * 4 + i % 4) * p.v_stride + min(unit_quad(unit) * 4, p.head_width - 4)) / 4;
    }
}

// The first key of the block that is responsible for the keys from key0 on.
uint block_first(uint key0)
{
    return min(key0, p.keys - KEYS);
}

void fetch_block(uint key0)
{
    uint first = block_first(key0);
    [[unroll]] for (uint i = 0; i < K_PASSES; i++)
        k_next[i] = k8[k_at[i] + first * (p.k_stride / 8)];
    [[unroll]] for (uint i = 0; i < V_PASSES * 4; i++)
        v_next[i] = v_words[v_at[i] + first * (p.v_stride / 4)];
}

// Before the first block: ones, of which blocks leave those past the head's width.
void begin_block()
{
    const uint V_SIZE = QUADS * 4 * KEY_STRIDE, LAST_SIZE = 16 * KEY_STRIDE; // of the columns that may be past it
    if (PADDED) {
        [[unroll]] for (uint i = 0; i < LAST_SIZE; i += THREADS) {
            if (LAST_SIZE % THREADS == 0 || i + gl_LocalInvocationIndex < LAST_SIZE)
                slab[K_SIZE + V_SIZE - LAST_SIZE + i + gl_LocalInvocationIndex] = uvec2(packHalf2x16(vec2(1.0)));
        }
    }
}

// Of two words each the lower halves, or the upper ones.
uint lower_halves(uint a, uint b)
{
    return a & 0xffffu | b << 16;
}

uint upper_halves(uint a, uint b)
{
    return a >> 16 | b & 0xffff0000u;
}

void share_block()
{
    [[unroll]] for (uint i = 0; i < K_PASSES; i++) {
        uint at = gl_LocalInvocationIndex + i * THREADS, first = at / (QUADS / 2) * STRIDE + at % (QUADS / 2) * 2;
        if (K_UNITS % THREADS == 0 || at < K_UNITS) {
            slab[first] = k_next[i].xy;
            slab[first + 1] = k_next[i].zw;
        }
    }
    uint units = PADDED ? KEYS / 4 * (p.head_width / 4) : V_UNITS;
    [[unroll]] for (uint i = 0; i < V_PASSES; i++) {
        uint unit = gl_LocalInvocationIndex + i * THREADS;
        if ((V_UNITS % THREADS == 0 && !PADDED) || unit < units) {
            uint at = K_SIZE + unit_quad(unit) * 4 * KEY_STRIDE + unit_keys(unit);
            uvec2 a = v_next[i * 4], b = v_next[i * 4 + 1], c = v_next[i * 4 + 2], d = v_next[i * 4 + 3];
            slab[at] = uvec2(lower_halves(a.x, b.x), lower_halves(c.x, d.x));
            slab[at + KEY_STRIDE] = uvec2(upper_halves(a.x, b.x), upper_halves(c.x, d.x));
            slab[at + 2 * KEY_STRIDE] = uvec2(lower_halves(a.y, b.y), lower_halves(c.y, d.y));
            slab[at + 3 * KEY_STRIDE] = uvec2(upper_halves(a.y, b.y), upper_halves(c.y, d.y));
        }
    }
}

#endif
