#version 450
// A workgroup takes 4 · TY rows of one head and walks over its keys in blocks of KEYS. An invocation owns rows 4·ty .. 4·ty + 3: of the scores the keys tx,
// tx + TX, …, KEY_SETS of them, of the output QUADS quads of columns, TX apart. q and k pass through shared memory in slabs of SLAB units, v in slabs of V_KEYS
// keys and TX quads, so any head width fits; heads wider than QUADS · TX quads are split among `parts` workgroups that each repeat the scores. That keeps the
// sums in registers. Rows, keys and quads of v past the last one repeat it: those rows and quads are not stored, and what those keys score is not seen.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "common/attention.glsl"

layout(constant_id = 4) const uint TX = 16;        // a divisor of the workgroup
layout(constant_id = 5) const uint KEY_SETS = 2;   // 1, 2 or 4
layout(constant_id = 6) const uint SLAB = 8;       // units of q and k: see common/attention_slab.glsl
layout(constant_id = 7) const bool WHOLE = false;  // VEC, and a head's width is whole slabs
layout(constant_id = 8) const bool PACKED = false; // WHOLE, and q and k are halves that stay packed until they are multiplied; first elements and strides are multiples of 8
const uint TY = gl_WorkGroupSize.x / TX;
const uint ROWS = 4 * TY;
const uint KEYS = KEY_SETS * TX;
const uint V_KEYS = KEYS % (512 / TX) == 0 ? 512 / TX : KEYS; // a multiple of 4
// Neighbouring rows are in different banks.
const uint P_STRIDE = TY + 1;
const uint R_STRIDE = TX + 1;

struct head_place {
    uint q_row, k_row, v_row; // first element of the head in row row0 of q, in row 0 of k and of v
    uint row0;
};

#include "common/attention_slab.glsl"

shared vec4 weights[KEYS * P_STRIDE]; // [key][ty]: of the four rows of ty

vec4 scores[KEY_SETS]; // components are rows
vec4 sums[QUADS * 4];

ATTENTION_LOAD(load_v, v, VEC)

void multiply_q_k(head_place at, uint key0)
{
    uint lid = gl_LocalInvocationIndex, tx = lid % TX, ty = lid / TX;
    find_rows(at, key0);
    [[unroll]] for (uint c = 0; c < KEY_SETS; c++)
        scores[c] = vec4(0.0);
    for (uint quad0 = 0; quad0 * 4 < p.head_width; quad0 += SLAB * UNIT_QUADS) {
        barrier();
        load_slab(quad0);
        barrier();
        [[unroll]] for (uint i = 0; i < SLAB; i++) {
            uvec4 keys[KEY_SETS];
            [[unroll]] for (uint c = 0; c < KEY_SETS; c++)
                keys[c] = slab[(ROWS + tx + c * TX) * STRIDE + i];
            [[unroll]] for (uint r = 0; r < 4; r++) {
                uvec4 row = slab[(ty * 4 + r) * STRIDE + i];
                [[unroll]] for (uint j = 0; j < UNIT_QUADS; j++) {
                    vec4 a = unit_quad(row, j);
                    [[unroll]] for (uint c = 0; c < KEY_SETS; c++) {
                        vec4 key = unit_quad(keys[c], j);
                        scores[c][r] = scores[c][r] + a.x * key.x + a.y * key.y + a.z * key.z + a.w * key.w; // dot costs an addition more
                    }
                }
            }
        }
    }
}

// Hands a value to the TX invocations of its rows, in the slab's memory, where they find all of theirs from the returned place on.
uint share_rows(vec4 value)
{
    uint lid = gl_LocalInvocationIndex, first = lid / TX * R_STRIDE;
    barrier();
    slab[first + lid % TX] = floatBitsToUint(value);
    barrier();
    return first;
}

vec4 row_maximum(vec4 value)
{
    uint first = share_rows(value);
    for (uint i = 0; i < TX; i++)
        value = max(value, uintBitsToFloat(slab[first + i]));
    return value;
}

vec4 row_sum(vec4 value)
{
    uint first = share_rows(value);
    vec4 sum = vec4(0.0);
    for (uint i = 0; i < TX; i++)
        sum += uintBitsToFloat(slab[first + i]);
    return sum;
}

// Quad c of the sums. `c` is written out by the caller: compilers do not unroll a loop around loops, and sums that are found by an index known
// only when running live in memory (NVK) or cost a ladder of moves (Honeykrisp).
void add_weighted_quad(head_place at, uint key0, uint quad0, vec4 decay, uint c)
{
    uint lid = gl_LocalInvocationIndex, tx = lid % TX, ty = lid / TX, quad = min(quad0 + c * TX + tx, VEC ? p.head_width / 4 - 1 : ~0u);
    [[unroll]] for (uint r = 0; r < 4; r++)
        sums[c * 4 + r] *= decay[r];
    for (uint from = 0; from < KEYS; from += V_KEYS) {
        barrier();
        for (uint i = ty; i < V_KEYS; i += TY) {
            uint key = min(key0 + from + i, p.keys - 1);
            slab[i * TX + tx] = floatBitsToUint(load_v(at.v_row + key * p.v_stride, quad, quad * 4));
        }
        barrier();
        // All keys at once cost Honeykrisp registers, then spills; four hide the loop. Adreno has no product of 32 bits for places.
        uint weight_at = from * P_STRIDE + ty, value_at = tx;
        [[dont_unroll]] for (uint first = 0; first < V_KEYS; first += 4, weight_at += 4 * P_STRIDE, value_at += 4 * TX)
            [[unroll]] for (uint i = 0; i < 4; i++) {
                vec4 w = weights[weight_at + i * P_STRIDE], value = uintBitsToFloat(slab[value_at + i * TX]);
                [[unroll]] for (uint r = 0; r < 4; r++)
                    sums[c * 4 + r] += w[r] * value;
            }
    }
}

void add_weighted_v(head_place at, uint key0, uint quad0, vec4 decay)
{
    add_weighted_quad(at, key0, quad0, decay, 0);
    if (QUADS > 1)
        add_weighted_quad(at, key0, quad0, decay, min(1, QUADS - 1));
    if (QUADS > 2)
        add_weighted_quad(at, key0, quad0, decay, min(2, QUADS - 1));
    if (QUADS > 3)
        add_weighted_quad(at, key0, quad0, decay, min(3, QUADS - 1));
}

void main()
{
    uint group = BR_GROUP_INDEX;
    if (group >= p.total)
        return;
    uint block = group % p.row_blocks, rest = group / p.row_blocks;
    uint part = rest % p.parts;
    rest /= p.parts;
    uint head = rest % p.heads, picture = rest / p.heads;
    uint lid = gl_LocalInvocationIndex, tx = lid % TX, ty = lid / TX;

    head_place at;
    at.row0 = block * ROWS;
    at.q_row = p.q_first + (picture * p.rows + at.row0) * p.q_stride + head * p.head_width;
    at.k_row = p.k_first + picture * p.keys * p.k_stride + head * p.head_width;
    at.v_row = p.v_first + picture * p.keys * p.v_stride + head * p.head_width;
    uint quad0 = part * QUADS * TX;
    uint key_end = CAUSAL ? min(p.keys, p.first_row + at.row0 + ROWS) : p.keys;

    vec4 maximum = vec4(LOWEST), total = vec4(0.0);
    [[unroll]] for (uint i = 0; i < QUADS * 4; i++)
        sums[i] = vec4(0.0);
    for (uint key0 = 0; key0 < key_end; key0 += KEYS) {
        multiply_q_k(at, key0);
        vec4 higher = maximum;
        [[unroll]] for (uint c = 0; c < KEY_SETS; c++) {
            [[unroll]] for (uint r = 0; r < 4; r++)
                scores[c][r] = score(scores[c][r], at.row0 + ty * 4 + r, key0 + tx + c * TX);
            higher = max(higher, scores[c]);
        }
        higher = row_maximum(higher);
        vec4 decay = exp2(maximum - higher);
        maximum = higher;
        total *= decay;
        [[unroll]] for (uint c = 0; c < KEY_SETS; c++) {
            [[unroll]] for (uint r = 0; r < 4; r++)
                scores[c][r] = weight(scores[c][r], maximum[r]);
            total += scores[c];
            weights[(tx + c * TX) * P_STRIDE + ty] = scores[c];
        }
        add_weighted_v(at, key0, quad0, decay);
    }
    total = row_sum(total);

    [[unroll]] for (uint r = 0; r < 4; r++) {
        uint row = at.row0 + ty * 4 + r;
        if (row >= p.rows)
            continue;
        // A row all of whose scores are minus infinity gives zeros.
        float scale = total[r] > 0.0 ? 1.0 / total[r] : 0.0;
        uint y_row = p.y_first + (picture * p.rows + row) * p.y_stride + head * p.head_width;
        [[unroll]] for (uint c = 0; c < QUADS; c++) {
            uint column = (quad0 + c * TX + tx) * 4;
            if (column < p.head_width)
                store_y(y_row, column, sums[c * 4 + r] * scale);
        }
    }
}
