// The tile loop that linear and conv2d share: acc[m][n] = Σ over taps and k of X(m, tap)[k] · W(n, tap)[k], both contiguous in k.
//
// Before including it, a shader includes common/gemm_spec.glsl, declares the buffers x, x4, w, w4 and defines
//     uint gemm_x_row(uint m, uint tap)   element of x where the depth values of row m begin, GEMM_ZERO where they count as zeros
//     uint gemm_w_row(uint n, uint tap)   likewise in w
//
// A workgroup makes a tile of GEMM_BM × GEMM_BN outputs, an invocation TM × TN of them, interleaved: rows ty + r·WY, columns tx + c·WX, so that
// neighbouring invocations store neighbouring columns and read neighbouring rows of the shared tile. Shared rows hold KQ quads of k and one of padding:
// with an odd stride (in units of 16 bytes) eight neighbours hit eight different bank groups.
#ifndef BR_GEMM_GLSL
#define BR_GEMM_GLSL

const uint THREADS = gl_WorkGroupSize.x;
const uint WY = THREADS / WX;
const uint GEMM_BM = WY * TM;
const uint GEMM_BN = WX * TN;
const uint GEMM_STRIDE = KQ + 1;
const uint GEMM_X_PASSES = (GEMM_BM * KQ + THREADS - 1) / THREADS;
const uint GEMM_W_PASSES = (GEMM_BN * KQ + THREADS - 1) / THREADS;

// The first column and row of the invocation within the tile.
#define GEMM_TX (gl_LocalInvocationIndex % WX)
#define GEMM_TY (gl_LocalInvocationIndex / WX)

shared vec4 gemm_x_tile[GEMM_BM * GEMM_STRIDE];
shared vec4 gemm_w_tile[GEMM_BN * GEMM_STRIDE];

float gemm_dot(vec4 a, vec4 b, float sum)
{
    sum += a.x * b.x;
    sum += a.y * b.y;
    sum += a.z * b.z;
    sum += a.w * b.w;
    return sum;
}

// acc[r · TN + c]: what gemm_tile leaves for the invocation's rows and columns of the tile.
float acc[TM * TN];

// Computes the tile whose first output is (m0, n0).
void gemm_tile(uint m0, uint n0, uint taps, uint depth)
{
    uint lid = gl_LocalInvocationIndex;
    uint tx = GEMM_TX, ty = GEMM_TY;
    [[unroll]] for (uint i = 0; i < TM * TN; i++)
        acc[i] = 0.0;

    for (uint tap = 0; tap < taps; tap++) {
        uint x_row[GEMM_X_PASSES];
        [[unroll]] for (uint i = 0; i < GEMM_X_PASSES; i++)
            x_row[i] = gemm_x_row(m0 + (lid + i * THREADS) / KQ, tap);
        uint w_row[GEMM_W_PASSES];
        [[unroll]] for (uint i = 0; i < GEMM_W_PASSES; i++)
            w_row[i] = gemm_w_row(n0 + (lid + i * THREADS) / KQ, tap);

        for (uint k0 = 0; k0 < depth; k0 += KQ * 4) {
            barrier();
            [[unroll]] for (uint i = 0; i < GEMM_X_PASSES; i++) {
                uint at = lid + i * THREADS;
                if (GEMM_BM * KQ % THREADS == 0 || at < GEMM_BM * KQ)
                    gemm_x_tile[at / KQ * GEMM_STRIDE + at % KQ] = gemm_load_x(x_row[i], k0 + at % KQ * 4, depth);
            }
            [[unroll]] for (uint i = 0; i < GEMM_W_PASSES; i++) {
                uint at = lid + i * THREADS;
                if (GEMM_BN * KQ % THREADS == 0 || at < GEMM_BN * KQ)
                    gemm_w_tile[at / KQ * GEMM_STRIDE + at % KQ] = gemm_load_w(w_row[i], k0 + at % KQ * 4, depth);
            }
            barrier();
            [[unroll]] for (uint q = 0; q < KQ; q++) {
                vec4 a[TM];
                [[unroll]] for (uint r = 0; r < TM; r++)
                    a[r] = gemm_x_tile[(ty + r * WY) * GEMM_STRIDE + q];
                [[unroll]] for (uint c = 0; c < TN; c++) {
                    vec4 b = gemm_w_tile[(tx + c * WX) * GEMM_STRIDE + q];
                    [[unroll]] for (uint r = 0; r < TM; r++)
                        acc[r * TN + c] = gemm_dot(a[r], b, acc[r * TN + c]);
                }
            }
        }
    }
}

#endif
