// From the tile loops that leave an invocation's sums in acc[TM * TN] to gemm_store of the op.
#ifndef BR_GEMM_RUN_GLSL
#define BR_GEMM_RUN_GLSL

// Of row r and the columns c .. c + GEMM_V - 1 of the invocation.
vec4 gemm_sums(uint r, uint c)
{
    vec4 value = vec4(0.0);
    [[unroll]] for (uint e = 0; e < GEMM_V; e++)
        value[e] = acc[r * TN + c + e];
    return value;
}

// Computes the tile whose first row and slot are (m0, n0), and stores it.
void gemm_run(uint m0, uint n0, uint taps, uint depth)
{
    if (WHOLE)
        m0 = min(m0, p.m - GEMM_BM);
    gemm_tile(m0, n0, taps, depth);
    [[unroll]] for (uint c = 0; c < TN; c += GEMM_V * GEMM_HALVES) {
        [[unroll]] for (uint r = 0; r < TM; r++)
            gemm_store(m0 + GEMM_TY + r * WY, gemm_column(n0 + GEMM_TX + c * WX), gemm_sums(r, c),
                       gemm_sums(r, c + GEMM_V * (GEMM_HALVES - 1)));
    }
}

#endif
