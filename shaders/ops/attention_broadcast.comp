#version 450
// Attention for GPUs without memory of their own to share (Mali; see common/gemm_broadcast.glsl). A workgroup takes ROWS rows of one head and walks over its keys
// in blocks of a key an invocation. Of the scores an invocation makes those of its key with all rows, of the output all rows of one column, or of a quad of them: what
// it reads of q and of the weights all invocations read, at places in shared memory that are known while compiling. Between the two TEAM invocations a row
// find its maximum and make its weights. A head is whole slabs of q, VEC, and no wider than the workgroup's columns. Rows and keys past the last one repeat it:
// those rows are not stored, and what those keys score is not seen.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "common/attention.glsl"

layout(constant_id = 4) const uint SLAB = 8;         // quads of q in shared memory
layout(constant_id = 5) const bool ONE_SLAB = false; // which is then loaded once
layout(constant_id = 6) const uint ROWS = 16;
const uint COLUMNS = QUADS > 0 ? 4 : 1;
const uint KEYS = gl_WorkGroupSize.x; // a multiple of ROWS
const uint TEAM = KEYS / ROWS;
const uint TEAM_KEYS = ROWS;          // of a block, an invocation
const uint V_KEYS = COLUMNS == 4 ? 2 : 8; // of v at once, without a condition: with more the sums of quads spill

shared vec4 slab[ROWS * SLAB];      // of q
shared float weights[ROWS * KEYS];  // scores before
shared float of_team[TEAM * ROWS];
shared float of_rows[ROWS];

float scores[ROWS];
float sums[ROWS * COLUMNS];

void load_slab(uint q_row, uint row0, uint quad0)
{
    barrier();
    for (uint i = gl_LocalInvocationIndex; i < ROWS * SLAB; i += KEYS)
        slab[i] = X_T_VALUE(q4[(q_row + min(i / SLAB, p.rows - 1 - row0) * p.q_stride) / 4 + quad0 + i % SLAB]);
    barrier();
}

void multiply_q_k(uint q_row, uint k_row, uint row0, uint key0)
{
    uint at = (k_row + min(key0 + gl_LocalInvocationIndex, p.keys - 1) * p.k_stride) / 4;
    [[unroll]] for (uint r = 0; r < ROWS; r++)
        scores[r] = 0.0;
    for (uint quad0 = 0; quad0 * 4 < p.head_width; quad0 += SLAB, at += SLAB) {
        if (!ONE_SLAB || key0 == 0)
            load_slab(q_row, row0, quad0);
        [[unroll]] for (uint i = 0; i < SLAB; i++) {
            vec4 key = X_T_VALUE(k4[at + i]);
            [[unroll]] for (uint r = 0; r < ROWS; r++) {
                vec4 a = slab[r * SLAB + i];
                scores[r] = scores[r] + a.x * key.x + a.y * key.y + a.z * key.z + a.w * key.w;
            }
        }
    }
}

// Of row lid % ROWS: its maximum so far, and the sum of the weights of this invocation's keys.
float maximum = LOWEST, total = 0.0;

// Makes weights of the scores, and leaves in of_rows what earlier sums are to be multiplied with.
void weigh(uint row0, uint key0)
{
    uint lid = gl_LocalInvocationIndex, row = lid % ROWS, first = row * KEYS + lid / ROWS * TEAM_KEYS;
    [[unroll]] for (uint r = 0; r < ROWS; r++)
        weights[r * KEYS + lid] = score(scores[r], row0 + r, key0 + lid);
    barrier();
    float higher = maximum;
    [[unroll]] for (uint i = 0; i < TEAM_KEYS; i++)
        higher = max(higher, weights[first + i]);
    of_team[lid] = higher;
    barrier();
    [[unroll]] for (uint i = 0; i < TEAM; i++)
        higher = max(higher, of_team[i * ROWS + row]);
    float decay = exp2(maximum - higher);
    maximum = higher;
    total *= decay;
    [[unroll]] for (uint i = 0; i < TEAM_KEYS; i++) {
        float w = weight(weights[first + i], maximum);
        weights[first + i] = w;
        total += w;
    }
    if (lid < ROWS)
        of_rows[lid] = decay;
    barrier();
}

vec4 load_v(uint at)
{
    return COLUMNS == 4 ? X_T_VALUE(v4[at]) : vec4(float(v[at]), 0.0, 0.0, 0.0);
}

void add_weighted_v(uint v_column, uint key0)
{
    [[unroll]] for (uint i = 0; i < ROWS * COLUMNS; i++)
        sums[i] *= of_rows[i / COLUMNS];
    uint count = min(p.keys - key0, KEYS), stride = p.v_stride / COLUMNS, at = (v_column + key0 * p.v_stride) / COLUMNS;
    [[unroll]] for (uint first = 0; first < KEYS; first += V_KEYS) {
        if (first + V_KEYS <= count) {
            vec4 value[V_KEYS];
            [[unroll]] for (uint i = 0; i < V_KEYS; i++, at += stride)
                value[i] = load_v(at);
            [[unroll]] for (uint r = 0; r < ROWS; r++)
                [[unroll]] for (uint i = 0; i < V_KEYS; i++)
                    [[unroll]] for (uint c = 0; c < COLUMNS; c++)
                        sums[r * COLUMNS + c] += weights[r * KEYS + first + i] * value[i][c];
        }
    }
    for (uint key = count / V_KEYS * V_KEYS; key < count; key++, at += stride) {
        vec4 value = load_v(at);
        [[unroll]] for (uint r = 0; r < ROWS; r++)
            [[unroll]] for (uint c = 0; c < COLUMNS; c++)
                sums[r * COLUMNS + c] += weights[r * KEYS + key] * value[c];
    }
    barrier();
}

void main()
{
    uint group = BR_GROUP_INDEX;
    if (group >= p.total)
        return;
    uint block = group % p.row_blocks, rest = group / p.row_blocks, head = rest % p.heads, picture = rest / p.heads;
    uint lid = gl_LocalInvocationIndex, row0 = block * ROWS, column = lid * COLUMNS;
    uint q_row = p.q_first + (picture * p.rows + row0) * p.q_stride + head * p.head_width;
    uint k_row = p.k_first + picture * p.keys * p.k_stride + head * p.head_width;
    uint v_column = p.v_first + picture * p.keys * p.v_stride + head * p.head_width + min(column, p.head_width - COLUMNS);
    uint key_end = CAUSAL ? min(p.keys, p.first_row + row0 + ROWS) : p.keys;

    [[unroll]] for (uint i = 0; i < ROWS * COLUMNS; i++)
        sums[i] = 0.0;
    for (uint key0 = 0; key0 < key_end; key0 += KEYS) {
        multiply_q_k(q_row, k_row, row0, key0);
        weigh(row0, key0);
        add_weighted_v(v_column, key0);
    }

    of_team[lid] = total;
    barrier();
    if (lid < ROWS) {
        [[unroll]] for (uint i = 1; i < TEAM; i++)
            total += of_team[i * ROWS + lid];
        of_rows[lid] = total > 0.0 ? 1.0 / total : 0.0; // a row all of whose scores are minus infinity gives zeros
    }
    barrier();
    if (column >= p.head_width)
        return;
    uint y_at = p.y_first + (picture * p.rows + row0) * p.y_stride + head * p.head_width + column, rows = p.rows - row0;
    [[unroll]] for (uint r = 0; r < ROWS; r++, y_at += p.y_stride)
        if (r < rows) {
            if (COLUMNS == 4)
                y4[y_at / 4] = X_T_QUAD(vec4(sums[r * COLUMNS], sums[r * COLUMNS + 1], sums[r * COLUMNS + 2], sums[r * COLUMNS + 3]) * of_rows[r]);
            else
                y[y_at] = X_T(sums[r] * of_rows[r]);
        }
}
