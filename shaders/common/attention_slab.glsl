// Slabs of SLAB units of q and k in shared memory, for ops/attention.comp: ROWS rows of q, then KEYS of k. A unit is 16 bytes: a quad in f32, or two as they
// lie in memory (PACKED). Odd strides keep neighbouring rows in different banks.
#ifndef BR_ATTENTION_SLAB_GLSL
#define BR_ATTENTION_SLAB_GLSL

layout(set = 0, binding = BR_ATTENTION_Q) readonly buffer br_q8 { uvec4 q8[]; };
layout(set = 0, binding = BR_ATTENTION_K) readonly buffer br_k8 { uvec4 k8[]; };

const uint UNIT_QUADS = PACKED ? 2 : 1;
const uint PLACE = PACKED ? 8 : 1;
const uint STRIDE = SLAB | 1;
// That a workgroup loads at once; where SLAB does not divide it, its last invocations load the beginning of the next one as well.
const uint LOAD_ROWS = gl_WorkGroupSize.x / SLAB;
const uint ROW_LOADS = (ROWS + LOAD_ROWS - 1) / LOAD_ROWS;
const uint KEY_LOADS = (KEYS + LOAD_ROWS - 1) / LOAD_ROWS;
const bool LOADS_ROWS = LOAD_ROWS * SLAB == gl_WorkGroupSize.x && ROWS % LOAD_ROWS == 0;
const bool LOADS_KEYS = LOAD_ROWS * SLAB == gl_WorkGroupSize.x && KEYS % LOAD_ROWS == 0;

const uint SLAB_SIZE = (ROWS + KEYS) * STRIDE;
shared uvec4 slab[SLAB_SIZE > V_KEYS * TX ? SLAB_SIZE : V_KEYS * TX]; // of v, V_KEYS keys of TX quads

// Where this invocation loads the first slab, a unit of every LOAD_ROWS-th row, in places of PLACE elements, and where it puts the first of them.
uint q_at[ROW_LOADS], k_at[KEY_LOADS], slab_at;

vec4 unit_quad(uvec4 unit, uint i)
{
    if (!PACKED)
        return uintBitsToFloat(unit);
    uvec2 halves = i == 0 ? unit.xy : unit.zw;
    return vec4(unpackHalf2x16(halves.x), unpackHalf2x16(halves.y));
}

ATTENTION_LOAD(load_q, q, WHOLE)
ATTENTION_LOAD(load_k, k, WHOLE)

// Rows and keys past the last one repeat it.
void find_rows(head_place at, uint key0)
{
    uint row = gl_LocalInvocationIndex / SLAB, unit = gl_LocalInvocationIndex % SLAB;
    slab_at = row * STRIDE + unit;
    [[unroll]] for (uint i = 0; i < ROW_LOADS; i++)
        q_at[i] = (at.q_row + unit * UNIT_QUADS * 4 + min(row + i * LOAD_ROWS, p.rows - 1 - at.row0) * p.q_stride) / PLACE;
    [[unroll]] for (uint i = 0; i < KEY_LOADS; i++)
        k_at[i] = (at.k_row + unit * UNIT_QUADS * 4 + min(key0 + row + i * LOAD_ROWS, p.keys - 1) * p.k_stride) / PLACE;
}

// From quad number quad0 of the head on.
void load_slab(uint quad0)
{
    uint row = gl_LocalInvocationIndex / SLAB, column = (quad0 + gl_LocalInvocationIndex % SLAB) * 4;
    [[unroll]] for (uint i = 0; i < ROW_LOADS; i++)
        if (LOADS_ROWS || row + i * LOAD_ROWS < ROWS)
            slab[slab_at + i * LOAD_ROWS * STRIDE] = PACKED ? q8[q_at[i] + quad0 / 2] : floatBitsToUint(load_q(q_at[i], quad0, column));
    [[unroll]] for (uint i = 0; i < KEY_LOADS; i++)
        if (LOADS_KEYS || row + i * LOAD_ROWS < KEYS)
            slab[slab_at + (ROWS + i * LOAD_ROWS) * STRIDE] = PACKED ? k8[k_at[i] + quad0 / 2] : floatBitsToUint(load_k(k_at[i], quad0, column));
}

#endif
