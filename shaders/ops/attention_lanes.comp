#version 450
// attention for CPU devices (see common/gemm_lanes.glsl): a workgroup is one subgroup and takes ROWS rows of one head. For the scores a lane stands for the keys
// lane, lane + S, …; for the output it stands for four neighbouring columns, and for those 4·S further on, QUADS times, then for REST of the last columns; wider
// heads are split among `parts` workgroups. What a lane needs of another comes by a shuffle.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_shader_subgroup_shuffle : require // by numbers that are no constants too
#include "common/attention.glsl"
#include "common/dot.glsl"
#include "common/lanes.glsl"

#if BR_UNROLLED // as in common/gemm_spec.glsl; QUADS is BR_UNROLLED
const uint S = 4;
const uint ROWS = 8;
const uint KEY_SETS = 4;
const uint REST = 0;
#else
const uint S = gl_WorkGroupSize.x; // lanes: 4, 8 or 16
layout(constant_id = 4) const uint ROWS = 16;    // a multiple of S
layout(constant_id = 5) const uint KEY_SETS = 4; // of S keys a block: 2 or 4
layout(constant_id = 6) const uint REST = 0;     // 0, 1 or 2; only where VEC
#endif

vec4 scores[ROWS]; // [row][set]
vec4 sums[QUADS > 0 ? ROWS * QUADS : 1];
vec2 rest[ROWS]; // of REST columns
float maximum[ROWS], total[ROWS];

float add(float a, float b)
{
    return a + b;
}

// Reduces over the lanes. Written out, as all loops around the arrays are: a loop inside keeps compilers from unrolling the one over the rows, and an array
// whose index is not known is not kept in registers.
#define BUTTERFLY(VALUE, OP)                            \
    if (S > 8)                                          \
        VALUE = OP(VALUE, subgroupShuffleXor(VALUE, 8)); \
    if (S > 4)                                          \
        VALUE = OP(VALUE, subgroupShuffleXor(VALUE, 4)); \
    VALUE = OP(VALUE, subgroupShuffleXor(VALUE, 2));     \
    VALUE = OP(VALUE, subgroupShuffleXor(VALUE, 1));

// Of a row that exists, all lanes load: a load under a condition costs more than one whose result is not used.
uint clamp_row(uint row, uint count)
{
    return min(row, count - 1);
}

#if X_F16
layout(set = 0, binding = BR_ATTENTION_V) readonly buffer br_v_pairs { uint v_pairs[]; };
#define LANE_V_PAIR(AT) unpackHalf2x16(v_pairs[(AT) >> 1])
#else
layout(set = 0, binding = BR_ATTENTION_V) readonly buffer br_v_pairs { vec2 v_pairs[]; };
#define LANE_V_PAIR(AT) v_pairs[(AT) >> 1]
#endif
ATTENTION_LOAD(load_q, q, VEC)
ATTENTION_LOAD(load_k, k, VEC)
ATTENTION_LOAD(load_v, v, VEC)

void multiply_q_k(uint q_head, uint row0, uint k_head, uint key0)
{
    uint lane = gl_SubgroupInvocationID;
    [[unroll]] for (uint r = 0; r < ROWS; r++)
        scores[r] = vec4(0.0);
    for (uint column = 0; column < p.head_width; column += 4) {
        vec4 key[KEY_SETS];
        [[unroll]] for (uint c = 0; c < KEY_SETS; c++)
            key[c] = load_k(k_head + clamp_row(key0 + c * S + lane, p.keys) * p.k_stride, column / 4, column);
        [[unroll]] for (uint i = 0; i < ROWS / S; i++) {
            vec4 mine = load_q(q_head + clamp_row(row0 + i * S + lane, p.rows) * p.q_stride, column / 4, column);
            [[unroll]] for (uint r = 0; r < S; r++) {
                vec4 a = br_lane_values(mine, r);
                [[unroll]] for (uint c = 0; c < KEY_SETS; c++)
                    scores[i * S + r][c] = br_add_dot(scores[i * S + r][c], a, key[c]);
            }
        }
    }
}

// Turns the scores into weights relative to the running maximum, which they may raise.
void update_softmax(uint row0, uint key0)
{
    uint lane = gl_SubgroupInvocationID;
    [[unroll]] for (uint r = 0; r < ROWS; r++) {
        vec4 s = vec4(LOWEST);
        [[unroll]] for (uint c = 0; c < KEY_SETS; c++)
            s[c] = score(scores[r][c], row0 + r, key0 + c * S + lane);
        float higher = max(max(s.x, s.y), max(s.z, s.w));
        BUTTERFLY(higher, max)
        higher = max(higher, maximum[r]);
        float decay = exp2(maximum[r] - higher);
        maximum[r] = higher;
        scores[r] = vec4(weight(s.x, higher), weight(s.y, higher), weight(s.z, higher), weight(s.w, higher));
        total[r] = total[r] * decay + dot(scores[r], vec4(1.0));
        [[unroll]] for (uint c = 0; c < QUADS; c++)
            sums[r * QUADS + c] *= decay;
        rest[r] *= decay;
    }
}

void add_weighted_v(uint v_head, uint key0, uint column0, uint rest0)
{
    for (uint j = 0; j < S; j++) {
        [[unroll]] for (uint set = 0; set < KEY_SETS; set++) {
            uint row = v_head + clamp_row(key0 + set * S + j, p.keys) * p.v_stride;
            vec4 value[QUADS > 0 ? QUADS : 1];
            [[unroll]] for (uint c = 0; c < QUADS; c++) {
                uint column = column0 + c * S * 4;
                if (VEC)
                    column = min(column, p.head_width - 4);
                value[c] = load_v(row, column / 4, column);
            }
            vec2 last = vec2(0.0);
            if (REST == 1)
                last.x = float(v[row + rest0]);
            if (REST == 2)
                last = LANE_V_PAIR(row + rest0);
            [[unroll]] for (uint r = 0; r < ROWS; r++) {
                float w = subgroupShuffle(scores[r][set], j);
                [[unroll]] for (uint c = 0; c < QUADS; c++)
                    sums[r * QUADS + c] += w * value[c];
                if (REST > 0)
                    rest[r].x += w * last.x;
                if (REST > 1)
                    rest[r].y += w * last.y;
            }
        }
    }
}

void main()
{
    uint group = BR_GROUP_INDEX;
    if (group >= p.total)
        return;
    uint row0 = group % p.row_blocks * ROWS, left = group / p.row_blocks;
    uint column0 = (left % p.parts * QUADS * S + gl_SubgroupInvocationID) * 4;
    left /= p.parts;
    uint rest0 = min(QUADS * S * 4 + gl_SubgroupInvocationID * REST, p.head_width - REST);
    uint head = left % p.heads, picture = left / p.heads;
    uint q_head = p.q_first + picture * p.rows * p.q_stride + head * p.head_width;
    uint k_head = p.k_first + picture * p.keys * p.k_stride + head * p.head_width;
    uint v_head = p.v_first + picture * p.keys * p.v_stride + head * p.head_width;
    uint y_head = p.y_first + picture * p.rows * p.y_stride + head * p.head_width;
    uint key_end = CAUSAL ? min(p.keys, p.first_row + row0 + ROWS) : p.keys;

    [[unroll]] for (uint r = 0; r < ROWS; r++) {
        maximum[r] = LOWEST;
        total[r] = 0.0;
        [[unroll]] for (uint c = 0; c < QUADS; c++)
            sums[r * QUADS + c] = vec4(0.0);
        rest[r] = vec2(0.0);
    }
    for (uint key0 = 0; key0 < key_end; key0 += KEY_SETS * S) {
        multiply_q_k(q_head, row0, k_head, key0);
        update_softmax(row0, key0);
        add_weighted_v(v_head, key0, column0, rest0);
    }

    [[unroll]] for (uint r = 0; r < ROWS; r++) {
        float sum = total[r];
        BUTTERFLY(sum, add)
        // A row all of whose scores are minus infinity gives zeros.
        float scale = sum > 0.0 ? 1.0 / sum : 0.0;
        if (row0 + r < p.rows) {
            uint y_row = y_head + (row0 + r) * p.y_stride;
            [[unroll]] for (uint c = 0; c < QUADS; c++) {
                if (column0 + c * S * 4 < p.head_width)
                    store_y(y_row, column0 + c * S * 4, sums[r * QUADS + c] * scale);
            }
            // Lanes past the last column repeat what another stores.
            [[unroll]] for (uint c = 0; c < REST; c++)
                y[y_row + rest0 + c] = X_T(rest[r][c] * scale);
        }
    }
}
