// The tile loop of linear and conv2d for GPUs that have no memory of their own to share, so that each place in it costs instructions (Mali): as
// common/gemm.glsl, by the same gemm_x_row and gemm_w_row. A workgroup makes TM rows of y, an invocation TN columns of all of them. What an invocation reads of x
// is what all read: it lies in shared memory, in f32, at places that are known while compiling. Its columns of w are its own, and go from the buffer to registers.
#ifndef BR_GEMM_BROADCAST_GLSL
#define BR_GEMM_BROADCAST_GLSL

const uint WY = 1;
const uint GEMM_BM = TM;
const uint GEMM_BN = WX * TN;
#define GEMM_TX gl_LocalInvocationIndex
#define GEMM_TY 0

// With WHOLE_DEPTH w is read in units of 16 bytes, without a condition: a column past the end is the tile's first, and is not stored.
#if W_F16
const uint GEMM_W_UNIT = 8;
#else
const uint GEMM_W_UNIT = 4;
#endif
const bool GEMM_W_UNITS = WHOLE_DEPTH && W_QUANT == 0;

shared vec4 gemm_x_tile[TM * KQ]; // a quad for each of the first invocations
#define GEMM_X_QUAD gl_LocalInvocationIndex

// acc[r · TN + c]: what gemm_tile leaves for row r and slot c · WX + tx of the tile.
float acc[TM * TN];

// Where the row begins that the invocation loads from, and where its columns do: elements, or units of the current step.
uint gemm_x_at, gemm_w_at[TN];

void gemm_find_x(uint m0, uint tap)
{
    if (GEMM_X_QUAD < TM * KQ)
        gemm_x_at = gemm_x_row(m0 + GEMM_X_QUAD / KQ, tap);
}

void gemm_find_w(uint n0, uint tap, uint k)
{
    [[unroll]] for (uint c = 0; c < TN; c++) {
        uint at = gemm_w_row(n0 + GEMM_TX + c * WX, tap);
        if (GEMM_W_UNITS)
            at = ((at == GEMM_ZERO ? gemm_w_row(n0, tap) : at) + k) / GEMM_W_UNIT;
        gemm_w_at[c] = at;
    }
}

// Quad q of a step that begins at k. `unit`: what an even q has loaded for the next one as well.
vec4 gemm_w_quad(uint c, uint q, uint k, uint depth, inout uvec4 unit)
{
#if W_F16
    if (GEMM_W_UNITS) {
        if (q % 2 == 0)
            unit = w8[gemm_w_at[c] + q / 2];
        uvec2 bits = q % 2 == 0 ? unit.xy : unit.zw;
        return vec4(unpackHalf2x16(bits.x), unpackHalf2x16(bits.y));
    }
#elif !W_QUANT
    if (GEMM_W_UNITS)
        return w4[gemm_w_at[c] + q];
#endif
    return gemm_load_w(gemm_w_at[c], k + q * 4, depth);
}

void gemm_multiply(uint k, uint depth)
{
    uvec4 units[TN];
    [[unroll]] for (uint q = 0; q < KQ; q++) {
        vec4 b[TN];
        [[unroll]] for (uint c = 0; c < TN; c++)
            b[c] = gemm_w_quad(c, q, k, depth, units[c]);
        [[unroll]] for (uint r = 0; r < TM; r++) {
            vec4 a = gemm_x_tile[r * KQ + q];
            [[unroll]] for (uint e = 0; e < 4; e++)
                [[unroll]] for (uint c = 0; c < TN; c++)
                    acc[r * TN + c] += a[e] * b[c][e];
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
    gemm_find_x(m0, tap);
    gemm_find_w(n0, tap, k);
    bool more = true;
    while (more) {
        barrier();
        if (GEMM_X_QUAD < TM * KQ) {
            uint quad_k = k + GEMM_X_QUAD % KQ * 4;
            gemm_x_tile[GEMM_X_QUAD] = GEMM_NORM(gemm_load_x(gemm_x_at, quad_k, depth), GEMM_X_QUAD / KQ, quad_k, depth);
        }
        barrier();
        gemm_multiply(k, depth);
        k += KQ * 4;
        if (GEMM_W_UNITS)
            [[unroll]] for (uint c = 0; c < TN; c++)
                gemm_w_at[c] += KQ * 4 / GEMM_W_UNIT; // the next tap's follow this one's
        if (k >= depth) {
            k = 0;
            more = ++tap < taps;
            if (more) {
                gemm_find_x(m0, tap);
                if (!GEMM_W_UNITS)
                    gemm_find_w(n0, tap, k);
            }
        }
        if (SPLIT)
            more = more && ++step < gemm_last_step;
    }
}

#endif
