// The tile loop that linear and conv2d share: acc[m][n] = Σ over taps and k of X(m, tap)[k] · W(n, tap)[k], both contiguous in k.
//
// Before including it, a shader includes common/gemm_spec.glsl, declares the buffers x, x4, w, w4 and defines
//     uint gemm_x_row(uint m, uint tap)   element of x where the depth values of row m begin, GEMM_ZERO where they count as zeros
//     uint gemm_w_row(uint slot, uint tap)   likewise in w, of the slot of a column
// and includes common/gemm_load.glsl and common/gemm_parts.glsl.
//
// A workgroup makes a tile of GEMM_BM × GEMM_BN outputs, an invocation TM × TN of them, interleaved: rows ty + r·WY, slots of columns tx + c·WX
// (gemm_column of gemm_spec.glsl), so that neighbouring invocations read neighbouring rows of the shared tile. Shared rows hold KQ quads of k and one of
// padding: with an odd stride eight neighbours hit eight different groups of banks. While a step is multiplied the loads of the next are under way.
#ifndef BR_GEMM_GLSL
#define BR_GEMM_GLSL

const uint THREADS = gl_WorkGroupSize.x;
const uint WY = THREADS / WX;
const uint GEMM_BM = WY * TM;
const uint GEMM_BN = WX * TN;
const uint GEMM_STRIDE = KQ + 1;
const uint GEMM_X_PASSES = (GEMM_BM * KQ + THREADS - 1) / THREADS;
const uint GEMM_W_PASSES = (GEMM_BN * KQ + THREADS - 1) / THREADS;

// The first slot and row of the invocation within the tile.
#define GEMM_TX (gl_LocalInvocationIndex % WX)
#define GEMM_TY (gl_LocalInvocationIndex / WX)

#if W_QUANT
const bool GEMM_W_PACKED = false;
#else
const bool GEMM_W_PACKED = PACKED && W_F16 != 0;
#endif
const bool GEMM_X_PACKED = PACKED && X_F16 != 0;

// One of each pair is in use.
shared uvec2 gemm_x_bits[GEMM_X_PACKED ? GEMM_BM * GEMM_STRIDE : 1];
shared vec4 gemm_x_tile[GEMM_X_PACKED ? 1 : GEMM_BM * GEMM_STRIDE];
shared uvec2 gemm_w_bits[GEMM_W_PACKED ? GEMM_BN * GEMM_STRIDE : 1];
shared vec4 gemm_w_tile[GEMM_W_PACKED ? 1 : GEMM_BN * GEMM_STRIDE];

uvec2 gemm_pack(vec4 value)
{
    return uvec2(packHalf2x16(value.xy), packHalf2x16(value.zw));
}

vec4 gemm_unpack(uvec2 bits)
{
    return vec4(unpackHalf2x16(bits.x), unpackHalf2x16(bits.y));
}

float gemm_dot(vec4 a, vec4 b, float sum)
{
    sum += a.x * b.x;
    sum += a.y * b.y;
    sum += a.z * b.z;
    sum += a.w * b.w;
    return sum;
}

// acc[r · TN + c]: what gemm_tile leaves for the invocation's rows and slots of the tile.
float acc[TM * TN];

// Where the rows begin that the invocation loads from, and what it has loaded for the next step.
uint gemm_x_at[GEMM_X_PASSES], gemm_w_at[GEMM_W_PASSES];
vec4 gemm_x_next[GEMM_X_PASSES], gemm_w_next[GEMM_W_PASSES];

void gemm_find_rows(uint m0, uint n0, uint tap)
{
    [[unroll]] for (uint i = 0; i < GEMM_X_PASSES; i++)
        gemm_x_at[i] = gemm_x_row(m0 + (gl_LocalInvocationIndex + i * THREADS) / KQ, tap);
    [[unroll]] for (uint i = 0; i < GEMM_W_PASSES; i++)
        gemm_w_at[i] = gemm_w_row(n0 + (gl_LocalInvocationIndex + i * THREADS) / KQ, tap);
}

void gemm_fetch(uint k, uint depth)
{
    [[unroll]] for (uint i = 0; i < GEMM_X_PASSES; i++)
        gemm_x_next[i] = gemm_load_x(gemm_x_at[i], k + (gl_LocalInvocationIndex + i * THREADS) % KQ * 4, depth);
    [[unroll]] for (uint i = 0; i < GEMM_W_PASSES; i++)
        gemm_w_next[i] = gemm_load_w(gemm_w_at[i], k + (gl_LocalInvocationIndex + i * THREADS) % KQ * 4, depth);
}

// What was loaded for the step that begins at k.
void gemm_share(uint k, uint depth)
{
    [[unroll]] for (uint i = 0; i < GEMM_X_PASSES; i++) {
        uint at = gl_LocalInvocationIndex + i * THREADS, to = at / KQ * GEMM_STRIDE + at % KQ;
        if (GEMM_BM * KQ % THREADS == 0 || at < GEMM_BM * KQ) {
            vec4 quad = GEMM_NORM(gemm_x_next[i], at / KQ, k + at % KQ * 4, depth);
            if (GEMM_X_PACKED)
                gemm_x_bits[to] = gemm_pack(quad);
            else
                gemm_x_tile[to] = quad;
        }
    }
    [[unroll]] for (uint i = 0; i < GEMM_W_PASSES; i++) {
        uint at = gl_LocalInvocationIndex + i * THREADS, to = at / KQ * GEMM_STRIDE + at % KQ;
        if (GEMM_BN * KQ % THREADS == 0 || at < GEMM_BN * KQ) {
            if (GEMM_W_PACKED)
                gemm_w_bits[to] = gemm_pack(gemm_w_next[i]);
            else
                gemm_w_tile[to] = gemm_w_next[i];
        }
    }
}

void gemm_multiply()
{
    [[unroll]] for (uint q = 0; q < KQ; q++) {
        vec4 a[TM];
        [[unroll]] for (uint r = 0; r < TM; r++) {
            uint at = (GEMM_TY + r * WY) * GEMM_STRIDE + q;
            a[r] = GEMM_X_PACKED ? gemm_unpack(gemm_x_bits[at]) : gemm_x_tile[at];
        }
        [[unroll]] for (uint c = 0; c < TN; c++) {
            uint at = (GEMM_TX + c * WX) * GEMM_STRIDE + q;
            vec4 b = GEMM_W_PACKED ? gemm_unpack(gemm_w_bits[at]) : gemm_w_tile[at];
            [[unroll]] for (uint r = 0; r < TM; r++)
                acc[r * TN + c] = gemm_dot(a[r], b, acc[r * TN + c]);
        }
    }
}

// Computes the tile whose first row and slot are (m0, n0).
void gemm_tile(uint m0, uint n0, uint taps, uint depth)
{
    [[unroll]] for (uint i = 0; i < TM * TN; i++)
        acc[i] = 0.0;
    uint tap = 0, k = 0, step = 0, steps = (depth + KQ * 4 - 1) / (KQ * 4);
    if (SPLIT) {
        step = gemm_first_step;
        tap = step / steps;
        k = step % steps * (KQ * 4);
    }
    gemm_find_rows(m0, n0, tap);
    gemm_fetch(k, depth);
    bool more = true;
    while (more) {
        barrier();
        gemm_share(k, depth);
        barrier();
        k += KQ * 4;
        if (k >= depth) {
            k = 0;
            more = ++tap < taps;
            if (more)
                gemm_find_rows(m0, n0, tap);
        }
        if (SPLIT)
            more = more && ++step < gemm_last_step;
        if (more)
            gemm_fetch(k, depth);
        gemm_multiply();
    }
}

#endif
