// The tile loop of common/gemm.glsl for matrix units (VK_KHR_cooperative_matrix): f16 · f16 -> f32. A workgroup has WX · WY subgroups; each holds TM × TN
// matrices of MATRIX_M × MATRIX_N sums. Rows and slots as there; here a slot's neighbours are neighbouring columns, with GEGLU up to MATRIX_N, and the next
// MATRIX_N slots are their gates.
//
// Shared rows hold KQ quads of k, two to an element, and an element of padding: an odd number of 16 bytes, so that eight rows begin in different groups of
// banks. With STAGES = 2 a step's tile is written while the last one's is still multiplied, for one barrier a step instead of two.
#ifndef BR_GEMM_MATRIX_GLSL
#define BR_GEMM_MATRIX_GLSL

const uint THREADS = gl_WorkGroupSize.x;
const uint WY = THREADS / SUBGROUP / WX;
const uint GEMM_BM = WY * TM * MATRIX_M;
const uint GEMM_BN = WX * TN * MATRIX_N;
const uint GEMM_STRIDE = KQ / 2 + 1;
// An invocation loads eight halves at a time with WHOLE_DEPTH, else four.
const uint GEMM_ROW_LOADS = WHOLE_DEPTH ? KQ / 2 : KQ;
const uint GEMM_X_PASSES = (GEMM_BM * GEMM_ROW_LOADS + THREADS - 1) / THREADS;
const uint GEMM_W_PASSES = (GEMM_BN * GEMM_ROW_LOADS + THREADS - 1) / THREADS;
const uint GEMM_SUMS = MATRIX_M * MATRIX_N; // of a matrix

shared uvec4 gemm_x_tile[STAGES * GEMM_BM * GEMM_STRIDE];
shared uvec4 gemm_w_tile[STAGES * GEMM_BN * GEMM_STRIDE];
// For each subgroup a matrix of sums on their way from the matrix units to gemm_store.
shared float gemm_sums[WX * WY * GEMM_SUMS];

uint gemm_x_at[GEMM_X_PASSES], gemm_w_at[GEMM_W_PASSES];
uvec4 gemm_x_next[GEMM_X_PASSES], gemm_w_next[GEMM_W_PASSES];
#if GEMM_PADS
uint gemm_x_seen[GEMM_X_PASSES]; // all bits, or none where x is padding
#endif

void gemm_find_rows(uint m0, uint n0, uint tap)
{
    [[unroll]] for (uint i = 0; i < GEMM_X_PASSES; i++) {
        gemm_x_at[i] = gemm_x_row(m0 + (gl_LocalInvocationIndex + i * THREADS) / GEMM_ROW_LOADS, tap);
#if GEMM_PADS
        gemm_x_seen[i] = mix(0xffffffffu, 0u, gemm_x_at[i] == GEMM_ZERO);
#endif
    }
    [[unroll]] for (uint i = 0; i < GEMM_W_PASSES; i++)
        gemm_w_at[i] = gemm_w_row(n0 + (gl_LocalInvocationIndex + i * THREADS) / GEMM_ROW_LOADS, tap);
    if (WHOLE_DEPTH) { // then these are eights, and rows and slots past the end element 0: nobody stores what becomes of them
        [[unroll]] for (uint i = 0; i < GEMM_X_PASSES; i++)
            gemm_x_at[i] = mix(gemm_x_at[i], 0u, gemm_x_at[i] == GEMM_ZERO) / 8;
        [[unroll]] for (uint i = 0; i < GEMM_W_PASSES; i++)
            gemm_w_at[i] = mix(gemm_w_at[i], 0u, gemm_w_at[i] == GEMM_ZERO) / 8;
    }
}

uvec4 gemm_words(vec4 v)
{
    f16vec4 halves = f16vec4(v);
    return uvec4(packFloat2x16(halves.xy), packFloat2x16(halves.zw), 0, 0);
}

void gemm_fetch(uint k, uint depth)
{
    if (WHOLE_DEPTH) { // as words: of halves' numbers NVK would make such of 32 bits, and halves again
        uint at = k / 8 + gl_LocalInvocationIndex % GEMM_ROW_LOADS; // which divides THREADS
        [[unroll]] for (uint i = 0; i < GEMM_X_PASSES; i++) {
            gemm_x_next[i] = x8[gemm_x_at[i] + at];
#if GEMM_PADS
            gemm_x_next[i] &= gemm_x_seen[i];
#endif
        }
        [[unroll]] for (uint i = 0; i < GEMM_W_PASSES; i++)
            gemm_w_next[i] = w8[gemm_w_at[i] + at];
        return;
    }
    [[unroll]] for (uint i = 0; i < GEMM_X_PASSES; i++)
        gemm_x_next[i] = gemm_words(gemm_load_x(gemm_x_at[i], k + (gl_LocalInvocationIndex + i * THREADS) % KQ * 4, depth));
    [[unroll]] for (uint i = 0; i < GEMM_W_PASSES; i++)
        gemm_w_next[i] = gemm_words(gemm_load_w(gemm_w_at[i], k + (gl_LocalInvocationIndex + i * THREADS) % KQ * 4, depth));
}

// Load number AT of the rows from ROW on.
#define GEMM_SHARE(TILE, ROW, AT, WORDS)                                                     \
    if (WHOLE_DEPTH) {                                                                       \
        TILE[((ROW) + (AT) / GEMM_ROW_LOADS) * GEMM_STRIDE + (AT) % GEMM_ROW_LOADS] = WORDS; \
    } else {                                                                                 \
        uint element = ((ROW) + (AT) / KQ) * GEMM_STRIDE + (AT) % KQ / 2;                    \
        TILE[element][(AT) % 2 * 2] = (WORDS).x;                                             \
        TILE[element][(AT) % 2 * 2 + 1] = (WORDS).y;                                         \
    }

void gemm_share(uint stage)
{
    [[unroll]] for (uint i = 0; i < GEMM_X_PASSES; i++) {
        uint at = gl_LocalInvocationIndex + i * THREADS;
        if (GEMM_BM * GEMM_ROW_LOADS % THREADS == 0 || at < GEMM_BM * GEMM_ROW_LOADS)
            GEMM_SHARE(gemm_x_tile, stage * GEMM_BM, at, gemm_x_next[i])
    }
    [[unroll]] for (uint i = 0; i < GEMM_W_PASSES; i++) {
        uint at = gl_LocalInvocationIndex + i * THREADS;
        if (GEMM_BN * GEMM_ROW_LOADS % THREADS == 0 || at < GEMM_BN * GEMM_ROW_LOADS)
            GEMM_SHARE(gemm_w_tile, stage * GEMM_BN, at, gemm_w_next[i])
    }
}

// This invocation's fours of a matrix of sums, and in GEGLU of one of their gates behind them.
const uint GEMM_FOURS = (GEMM_SUMS / 4 + SUBGROUP - 1) / SUBGROUP;
vec4 gemm_fours[GEMM_HALVES * GEMM_FOURS];

void gemm_read_fours(uint half_first, coopmat<float, gl_ScopeSubgroup, MATRIX_M, MATRIX_N, gl_MatrixUseAccumulator> sums)
{
    uint first = gl_SubgroupID * GEMM_SUMS;
    subgroupBarrier();
    coopMatStore(sums, gemm_sums, first, MATRIX_N, gl_CooperativeMatrixLayoutRowMajor);
    subgroupBarrier();
    [[unroll]] for (uint i = 0; i < GEMM_FOURS; i++) {
        uint at = (gl_SubgroupInvocationID + i * SUBGROUP) * 4;
        if (GEMM_SUMS / 4 % SUBGROUP == 0 || at < GEMM_SUMS)
            gemm_fours[half_first + i] = vec4(gemm_sums[first + at], gemm_sums[first + at + 1], gemm_sums[first + at + 2], gemm_sums[first + at + 3]);
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
                coopMatLoad(a[r], gemm_x_tile, (stage * GEMM_BM + group_m + r * MATRIX_M) * GEMM_STRIDE + q / 2, GEMM_STRIDE,
                            gl_CooperativeMatrixLayoutRowMajor);
            coopmat<float16_t, gl_ScopeSubgroup, MATRIX_K, MATRIX_N, gl_MatrixUseB> b[TN];
            [[unroll]] for (uint c = 0; c < TN; c++)
                coopMatLoad(b[c], gemm_w_tile, (stage * GEMM_BN + group_n + c * MATRIX_N) * GEMM_STRIDE + q / 2, GEMM_STRIDE,
                            gl_CooperativeMatrixLayoutColumnMajor);
            [[unroll]] for (uint i = 0; i < TM * TN; i++)
                sum[i] = coopMatMulAdd(a[i / TN], b[i % TN], sum[i]);
        }
        stage = (stage + 1) % STAGES;
    }

    [[unroll]] for (uint r = 0; r < TM; r++) {
        [[unroll]] for (uint c = 0; c < TN; c += GEMM_HALVES) {
            [[unroll]] for (uint h = 0; h < GEMM_HALVES; h++)
                gemm_read_fours(h * GEMM_FOURS, sum[r * TN + c + h]);
            [[unroll]] for (uint i = 0; i < GEMM_FOURS; i++) {
                uint at = (gl_SubgroupInvocationID + i * SUBGROUP) * 4;
                if (GEMM_SUMS / 4 % SUBGROUP == 0 || at < GEMM_SUMS)
                    gemm_store(m0 + group_m + r * MATRIX_M + at / MATRIX_N, gemm_column(n0 + group_n + c * MATRIX_N) + at % MATRIX_N, gemm_fours[i],
                               gemm_fours[(GEMM_HALVES - 1) * GEMM_FOURS + i]);
            }
        }
    }
}

#endif
