// The tile loop of common/gemm.glsl for CPU devices, where an invocation is a SIMD lane, shared memory is ordinary memory and every load is made lane by
// lane. A workgroup is one subgroup of WX lanes: a lane holds the columns lane, lane + WX, … and all TM rows of the tile. Of x it loads one row in WX, which
// the others get by shuffles (one instruction each, where a broadcast costs a loop over the lanes); nothing is shared, nothing waits. TM is a multiple of WX.
#ifndef BR_GEMM_LANES_GLSL
#define BR_GEMM_LANES_GLSL

#include "common/dot.glsl"
#include "common/lanes.glsl"

const uint WY = 1;
const uint GEMM_BM = TM;
const uint GEMM_BN = WX * TN;

#define GEMM_TX gl_SubgroupInvocationID
#ifndef GEMM_LANE_COLUMN
#define GEMM_LANE_COLUMN(c) (gl_SubgroupInvocationID + c * WX)
#endif
#define GEMM_TY 0
#ifndef GEMM_FIRST_SUM
#define GEMM_FIRST_SUM(slot) 0.0 // what the sums of a slot begin with
#endif

float acc[TM * TN];

// Every load here is made by all lanes: a lane that must not see what it loaded gets zeros afterwards. Rows and columns past the end load those of
// element 0; nobody stores what becomes of them. A load costs what its turns over the lanes cost, however wide it is: with KQ = 2, depth and all first
// elements are multiples of 8, and eight halves are one load. x8 and w8 are the buffers for that.
#define GEMM_LANES_LOAD(NAME, BUFFER)                                     \
    void NAME(uint row, uint k, uint depth, out vec4 value[KQ])           \
    {                                                                     \
        if (!VEC) {                                                       \
            value[0] = gemm_load_##BUFFER(row, k, depth);                 \
            return;                                                       \
        }                                                                 \
        uint at = row == GEMM_ZERO ? 0 : row + k;                         \
        [[unroll]] for (uint q = 0; q < KQ; q++)                          \
            value[q] = vec4(BUFFER##4[(at >> 2) + q]);                    \
    }
#define GEMM_LANES_LOAD_HALVES(NAME, BUFFER)                                                          \
    void NAME(uint row, uint k, uint depth, out vec4 value[KQ])                                       \
    {                                                                                                 \
        if (KQ == 2) {                                                                                \
            uvec4 halves = BUFFER##8[(row == GEMM_ZERO ? 0 : row + k) >> 3];                          \
            value[0] = vec4(unpackHalf2x16(halves.x), unpackHalf2x16(halves.y));                      \
            value[KQ - 1] = vec4(unpackHalf2x16(halves.z), unpackHalf2x16(halves.w));                 \
        } else if (VEC) {                                                                             \
            value[0] = vec4(BUFFER##4[(row == GEMM_ZERO ? 0 : row + k) >> 2]);                        \
        } else {                                                                                      \
            value[0] = gemm_load_##BUFFER(row, k, depth);                                             \
        }                                                                                             \
    }

#if X_F16
GEMM_LANES_LOAD_HALVES(gemm_lane_load_x, x)
#else
GEMM_LANES_LOAD(gemm_lane_load_x, x)
#endif

#if W_QUANT
// Scales of the blocks' group that the loop is in.
vec2 gemm_lane_scale[TN];

void gemm_lane_scales(uint w_row[TN], uint k)
{
    if (k % QUANT_GROUP == 0) {
        [[unroll]] for (uint c = 0; c < TN; c++)
            gemm_lane_scale[c] = quant_scale(w_row[c] == GEMM_ZERO ? 0 : w_row[c], p.w_column + k, p.w_columns);
    }
}
#elif W_F16
GEMM_LANES_LOAD_HALVES(gemm_lane_load_w, w)
#else
GEMM_LANES_LOAD(gemm_lane_load_w, w)
#endif

void gemm_tile(uint m0, uint n0, uint taps, uint depth)
{
    uint lane = gl_SubgroupInvocationID;
    [[unroll]] for (uint c = 0; c < TN; c++) {
        float first = GEMM_FIRST_SUM(n0 + GEMM_LANE_COLUMN(c));
        [[unroll]] for (uint r = 0; r < TM; r++)
            acc[r * TN + c] = first;
    }
    for (uint tap = 0; tap < taps; tap++) {
        uint x_row[TM / WX], w_row[TN];
        [[unroll]] for (uint i = 0; i < TM / WX; i++)
            x_row[i] = gemm_x_row(m0 + i * WX + lane, tap);
        [[unroll]] for (uint c = 0; c < TN; c++)
            w_row[c] = gemm_w_row(n0 + GEMM_LANE_COLUMN(c), tap);
        for (uint k = 0; k < depth; k += KQ * 4) {
            vec4 b[TN][KQ];
#if W_QUANT
            gemm_lane_scales(w_row, k);
            [[unroll]] for (uint c = 0; c < TN; c++)
                b[c][0] = quant_values(quant_bytes(w_row[c] == GEMM_ZERO ? 0 : w_row[c], p.w_column + k, p.w_columns), gemm_lane_scale[c]);
#else
            [[unroll]] for (uint c = 0; c < TN; c++)
                gemm_lane_load_w(w_row[c], k, depth, b[c]);
#endif
            [[unroll]] for (uint i = 0; i < TM / WX; i++) {
                vec4 mine[KQ];
                gemm_lane_load_x(x_row[i], k, depth, mine);
                [[unroll]] for (uint q = 0; q < KQ; q++)
                    mine[q] = x_row[i] == GEMM_ZERO ? vec4(0.0) : mine[q];
                [[unroll]] for (uint r = 0; r < WX; r++) {
                    [[unroll]] for (uint q = 0; q < KQ; q++) {
                        vec4 a = br_lane_values(mine[q], r);
                        [[unroll]] for (uint c = 0; c < TN; c++) {
                            uint at = (i * WX + r) * TN + c;
                            acc[at] = br_add_dot(acc[at], a, b[c][q]);
                        }
                    }
                }
            }
        }
    }
}

#endif
