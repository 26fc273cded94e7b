// The tile loop of common/gemm.glsl for matrix units (VK_KHR_cooperative_matrix): f16 · f16 -> f32. A workgroup has WX · WY subgroups; each holds TM × TN
// matrices of MATRIX_M × MATRIX_N sums. Rows and slots as there; here a slot's neighbours are neighbouring columns, with GEGLU up to MATRIX_N, and the next
// MATRIX_N slots are their gates.
//
// Shared rows hold KQ quads of k and two of padding: an odd number of 16 bytes, so that eight rows begin in different groups of banks. With STAGES = 2 a step's
// tile is written while the last one's is still multiplied, for one barrier a step instead of two.
#ifndef BR_GEMM_MATRIX_GLSL
#define BR_GEMM_MATRIX_GLSL

const uint THREADS = gl_WorkGroupSize.x;
const uint WY = THREADS / SUBGROUP / WX;
const uint GEMM_BM = WY * TM * MATRIX_M;
const uint GEMM_BN = WX * TN * MATRIX_N;
const uint GEMM_STRIDE = KQ + 2;
const uint GEMM_X_PASSES = (GEMM_BM * KQ + THREADS - 1) / THREADS;
const uint GEMM_W_PASSES = (GEMM_BN * KQ + THREADS - 1) / THREADS;
const uint GEMM_SUMS = MATRIX_M * MATRIX_N; // of a matrix

shared f16vec4 gemm_x_tile[STAGES * GEMM_BM * GEMM_STRIDE];
shared f16vec4 gemm_w_tile[STAGES * GEMM_BN * GEMM_STRIDE];
// For each subgroup a matrix of sums, with GEGLU that of the gates behind it, on their way from the matrix units to gemm_store.
shared float gemm_sums[WX * WY * GEMM_HALVES * GEMM_SUMS];

uint gemm_x_at[GEMM_X_PASSES], gemm_w_at[GEMM_W_PASSES];
f16vec4 gemm_x_next[GEMM_X_PASSES], gemm_w_next[GEMM_W_PASSES];

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
        gemm_x_next[i] = f16vec4(gemm_load_x(gemm_x_at[i], k + (gl_LocalInvocationIndex + i * THREADS) % KQ * 4, depth));
    [[unroll]] for (uint i = 0; i < GEMM_W_PASSES; i++)
        gemm_w_next[i] = f16vec4(gemm_load_w(gemm_w_at[i], k + (gl_LocalInvocationIndex + i * THREADS) % KQ * 4, depth));
}

void gemm_share(uint stage)
{
    [[unroll]] for (uint i = 0; i < GEMM_X_PASSES; i++) {
        uint at = gl_LocalInvocationIndex + i * THREADS;
        if (GEMM_BM * KQ % THREADS == 0 || at < GEMM_BM * KQ)
            gemm_x_tile[(stage * GEMM_BM + at / KQ) * GEMM_STRIDE + at % KQ] = gemm_x_next[i];
    }
    [[unroll]] for (uint i = 0; i < GEMM_W_PASSES; i++) {
        uint at = gl_LocalInvocationIndex + i * THREADS;
        if (GEMM_BN * KQ % THREADS == 0 || at < GEMM_BN * KQ)
            gemm_w_tile[(stage * GEMM_BN + at / KQ) * GEMM_STRIDE + at % KQ] = gemm_w_next[i];
    }
}

// Computes the tile whose first row and slot are (m0, n0), and stores it.
void gemm_run(uint m0, uint n0, uint taps, uint depth)
{
    uint group_m = gl_SubgroupID / WX * TM * MATRIX_M, group_n = gl_SubgroupID % WX * TN * MATRIX_N;
    coopmat<float, gl_ScopeSubgroup, MATRIX_M, MATRIX_N, gl_MatrixUseAccumulator> sum[TM * TN];
    [[unroll]] for (uint i = 0; i < TM * TN; i++)
        sum[i] = coopmat<float, gl_ScopeSubgroup, MATRIX_M, MATRIX_N, gl_MatrixUseAccumulator>(0.0);

    uint tap = 0, k = 0, stage = 0, step = 0, steps = (depth + KQ * 4 - 1) / (KQ * 4);
    if (SPLIT) {
        step = gemm_first_step;
        tap = step / steps;
        k = step % steps * (KQ * 4);
    }
    gemm_find_rows(m0, n0, tap);
    gemm_fetch(k, depth);
    bool more = true;
    while (more) {
        if (STAGES == 1)
            barrier();
        gemm_share(stage);
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
        [[unroll]] for (uint q = 0; q < KQ; q += MATRIX_K / 4) {
            coopmat<float16_t, gl_ScopeSubgroup, MATRIX_M, MATRIX_K, gl_MatrixUseA> a[TM];
            [[unroll]] for (uint r = 0; r < TM; r++)
                coopMatLoad(a[r], gemm_x_tile, (stage * GEMM_BM + group_m + r * MATRIX_M) * GEMM_STRIDE + q, GEMM_STRIDE,
                            gl_CooperativeMatrixLayoutRowMajor);
            [[unroll]] for (uint c = 0; c < TN; c++) {
                coopmat<float16_t, gl_ScopeSubgroup, MATRIX_K, MATRIX_N, gl_MatrixUseB> b;
                coopMatLoad(b, gemm_w_tile, (stage * GEMM_BN + group_n + c * MATRIX_N) * GEMM_STRIDE + q, GEMM_STRIDE,
                            gl_CooperativeMatrixLayoutColumnMajor);
                [[unroll]] for (uint r = 0; r < TM; r++)
                    sum[r * TN + c] = coopMatMulAdd(a[r], b, sum[r * TN + c]);
            }
        }
        stage = (stage + 1) % STAGES;
    }

    uint first = gl_SubgroupID * GEMM_HALVES * GEMM_SUMS, gates = first + (GEMM_HALVES - 1) * GEMM_SUMS;
    [[unroll]] for (uint r = 0; r < TM; r++) {
        [[unroll]] for (uint c = 0; c < TN; c += GEMM_HALVES) {
            subgroupBarrier();
            [[unroll]] for (uint h = 0; h < GEMM_HALVES; h++)
                coopMatStore(sum[r * TN + c + h], gemm_sums, first + h * GEMM_SUMS, MATRIX_N, gl_CooperativeMatrixLayoutRowMajor);
            subgroupBarrier();
            [[unroll]] for (uint at = gl_SubgroupInvocationID * 4; at < GEMM_SUMS; at += SUBGROUP * 4) {
                vec4 value = vec4(gemm_sums[first + at], gemm_sums[first + at + 1], gemm_sums[first + at + 2], gemm_sums[first + at + 3]);
                vec4 gate = vec4(gemm_sums[gates + at], gemm_sums[gates + at + 1], gemm_sums[gates + at + 2], gemm_sums[gates + at + 3]);
                gemm_store(m0 + group_m + r * MATRIX_M + at / MATRIX_N,
                           gemm_column(n0 + group_n + c * MATRIX_N) + at % MATRIX_N, value, gate);
            }
        }
    }
}

#endif
