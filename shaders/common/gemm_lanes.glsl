// The tile loop of common/gemm.glsl for CPU devices, where an invocation is a SIMD lane, shared memory is ordinary memory and every load is made lane by
// lane. A workgroup is one subgroup of WX lanes: a lane holds the columns lane, lane + WX, … and all TM rows of the tile. Of x it loads one row in WX, which
// the others get by shuffles (one instruction each, where a broadcast costs a loop over the lanes); nothing is shared, nothing waits. TM is a multiple of WX.
#ifndef BR_GEMM_LANES_GLSL
#define BR_GEMM_LANES_GLSL

const uint WY = 1;
const uint GEMM_BM = TM;
const uint GEMM_BN = WX * TN;

#define GEMM_TX gl_SubgroupInvocationID
#define GEMM_TY 0

float acc[TM * TN];

// Every load here is made by all lanes: a lane that must not see what it loaded gets zeros afterwards. Rows and columns past the end load those of
// element 0; nobody stores what becomes of them.
vec4 gemm_lane_x(uint row, uint k, uint depth)
{
    if (!VEC)
        return gemm_load_x(row, k, depth);
    vec4 value = vec4(x4[(row == GEMM_ZERO ? 0 : row + k) >> 2]);
    return row == GEMM_ZERO ? vec4(0.0) : value;
}

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

vec4 gemm_lane_w(uint row, uint c, uint k, uint depth)
{
    return quant_values(quant_bytes(row == GEMM_ZERO ? 0 : row, p.w_column + k, p.w_columns), gemm_lane_scale[c]);
}
#else
vec4 gemm_lane_w(uint row, uint c, uint k, uint depth)
{
    return VEC ? vec4(w4[(row == GEMM_ZERO ? 0 : row + k) >> 2]) : gemm_load_w(row, k, depth);
}
#endif

void gemm_tile(uint m0, uint n0, uint taps, uint depth)
{
    uint lane = gl_SubgroupInvocationID;
    [[unroll]] for (uint i = 0; i < TM * TN; i++)
        acc[i] = 0.0;
    for (uint tap = 0; tap < taps; tap++) {
        uint x_row[TM / WX], w_row[TN];
        [[unroll]] for (uint i = 0; i < TM / WX; i++)
            x_row[i] = gemm_x_row(m0 + i * WX + lane, tap);
        [[unroll]] for (uint c = 0; c < TN; c++)
            w_row[c] = gemm_w_row(n0 + lane + c * WX, tap);
        for (uint k = 0; k < depth; k += 4) {
            vec4 b[TN];
#if W_QUANT
            gemm_lane_scales(w_row, k);
#endif
            [[unroll]] for (uint c = 0; c < TN; c++)
                b[c] = gemm_lane_w(w_row[c], c, k, depth);
            [[unroll]] for (uint i = 0; i < TM / WX; i++) {
                vec4 mine = gemm_lane_x(x_row[i], k, depth);
                [[unroll]] for (uint r = 0; r < WX; r++) {
                    vec4 a = vec4(subgroupShuffle(mine.x, r), subgroupShuffle(mine.y, r), subgroupShuffle(mine.z, r),
                                  subgroupShuffle(mine.w, r));
                    [[unroll]] for (uint c = 0; c < TN; c++) {
                        uint at = (i * WX + r) * TN + c;
                        acc[at] = acc[at] + a.x * b[c].x + a.y * b[c].y + a.z * b[c].z + a.w * b[c].w;
                    }
                }
            }
        }
    }
}

#endif
