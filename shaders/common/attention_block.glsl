// What the workgroups of ops/attention_matrix.comp share: a block of KEYS keys, k as it is and v transposed, while the next block is on its way.
// Keys past the last one repeat it, for they weigh nothing, and so do columns past the head's width: q has zeros there, and y no column. So loads need neither
// branches nor choices, and follow one another.
//
// Strides are an odd number of 16 bytes, so that eight rows begin in different groups of banks.
#ifndef BR_ATTENTION_BLOCK_GLSL
#define BR_ATTENTION_BLOCK_GLSL

const uint KEYS = BR_ATTENTION_MATRIX_KEYS;
const uint STRIDE = QUADS + 2;        // of k
const uint KEY_STRIDE = KEYS / 4 + 2; // of v, and of weights
const uint K_SIZE = KEYS * STRIDE;
const uint V_UNITS = KEYS / 4 * QUADS; // of four keys and four columns
const uint K_PASSES = (KEYS * QUADS + THREADS - 1) / THREADS;
const uint V_PASSES = (V_UNITS + THREADS - 1) / THREADS;

shared f16vec4 slab[K_SIZE + QUADS * 4 * KEY_STRIDE];

f16vec4 k_next[K_PASSES], v_next[V_PASSES * 4];

// Of a unit of v: four neighbouring invocations load 32 bytes of a row, every fourth of them stores to the same columns.
uint unit_quad(uint unit)
{
    return unit / KEYS * 4 + unit % 4;
}

uint unit_keys(uint unit)
{
    return unit / 4 % (KEYS / 4);
}

void fetch_block(uint k_head, uint v_head, uint key0)
{
    [[unroll]] for (uint i = 0; i < K_PASSES; i++) {
        uint at = gl_LocalInvocationIndex + i * THREADS, key = key0 + at / QUADS;
        k_next[i] = k4[(k_head + min(key, p.keys - 1) * p.k_stride + min(at % QUADS * 4, p.head_width - 4)) >> 2];
    }
    [[unroll]] for (uint i = 0; i < V_PASSES * 4; i++) {
        uint unit = gl_LocalInvocationIndex + i / 4 * THREADS, key = key0 + unit_keys(unit) * 4 + i % 4;
        v_next[i] = v4[(v_head + min(key, p.keys - 1) * p.v_stride + min(unit_quad(unit) * 4, p.head_width - 4)) >> 2];
    }
}

void share_block()
{
    [[unroll]] for (uint i = 0; i < K_PASSES; i++) {
        uint at = gl_LocalInvocationIndex + i * THREADS;
        if (KEYS * QUADS % THREADS == 0 || at < KEYS * QUADS)
            slab[at / QUADS * STRIDE + at % QUADS] = k_next[i];
    }
    [[unroll]] for (uint i = 0; i < V_PASSES; i++) {
        uint unit = gl_LocalInvocationIndex + i * THREADS;
        if (V_UNITS % THREADS == 0 || unit < V_UNITS) {
            uint at = K_SIZE + unit_quad(unit) * 4 * KEY_STRIDE + unit_keys(unit);
            f16vec4 a = v_next[i * 4], b = v_next[i * 4 + 1], c = v_next[i * 4 + 2], d = v_next[i * 4 + 3];
            slab[at] = f16vec4(a.x, b.x, c.x, d.x);
            slab[at + KEY_STRIDE] = f16vec4(a.y, b.y, c.y, d.y);
            slab[at + 2 * KEY_STRIDE] = f16vec4(a.z, b.z, c.z, d.z);
            slab[at + 3 * KEY_STRIDE] = f16vec4(a.w, b.w, c.w, d.w);
        }
    }
}

#endif
