// The tile loop of common/gemm.glsl by integer dot products: x as signed bytes with a scale for every 32 (ops/linear_pack.h), w in blocks whose numbers
// share a scale by 32 too. A step takes KQ blocks of both into shared memory as signed bytes, sums their products as integers (exactly: 32 products below
// 2^14 each) and scales a block's sum once:
//     Σ x·w = sx · (sw · Σ qx·qw + mw · Σ qx)
//
// Shared rows hold 2 · KQ vectors of 16 bytes and one of padding, for the reason that common/gemm.glsl gives.
//
// Before including it, a shader declares x_packed, x_scales and w and defines gemm_x_row and gemm_w_row in vectors of x_packed and words of w.
#ifndef BR_GEMM_DOT_GLSL
#define BR_GEMM_DOT_GLSL

// OpSDot of SPV_KHR_integer_dot_product with operands of Packed Vector Format 4x8Bit, which is 0. GL_EXT_integer_dot_product has no name for it that
// glslang 12 knows.
spirv_instruction(extensions = ["SPV_KHR_integer_dot_product"], capabilities = [6018, 6019], id = 4450)
int gemm_dot4(uint a, uint b, spirv_literal int format);

const uint THREADS = gl_WorkGroupSize.x;
const uint WY = THREADS / WX;
const uint GEMM_BM = WY * TM;
const uint GEMM_BN = WX * TN;
const uint GEMM_ROW = 2 * KQ; // vectors of a row in a step
const uint GEMM_STRIDE = GEMM_ROW + 1;
const uint GEMM_X_PASSES = (GEMM_BM * GEMM_ROW + THREADS - 1) / THREADS;
const uint GEMM_W_PASSES = (GEMM_BN * GEMM_ROW + THREADS - 1) / THREADS;
const bool GEMM_MIN = QUANT_MIN_WORD || QUANT_SUPER; // of the super-blocks, those in groups of 32 come here

#define GEMM_TX (gl_LocalInvocationIndex % WX)
#define GEMM_TY (gl_LocalInvocationIndex / WX)

shared uvec4 gemm_x_tile[GEMM_BM * GEMM_STRIDE];
shared uvec4 gemm_w_tile[GEMM_BN * GEMM_STRIDE];
shared vec2 gemm_x_scale[GEMM_BM * KQ];
shared vec2 gemm_w_scale[GEMM_BN * KQ];

// Columns k .. k + 15 of w, k a multiple of 16, as signed bytes with the zero taken off.
uvec4 gemm_dot_w(uint row, uint k)
{
    k += p.w_column;
    uint at = row + k / 32 * QUANT_LOW + k % 32 * QUANT_LOW / 32;
    if (QUANT_LOW == 8)
        return uvec4(w[at], w[at + 1], w[at + 2], w[at + 3]);
    uvec4 bytes = uvec4(w[at], w[at] >> 4, w[at + 1], w[at + 1] >> 4) & 0x0f0f0f0f;
    if (QUANT_HIGH > 0) {
        uint high = w[row + p.w_columns / 32 * 4 + k / 32] >> k / 4 % 8;
        bytes |= (uvec4(high, high >> 1, high >> 2, high >> 3) & 0x01010101) << 4;
    }
    // In every byte: below 32, so neither this addition carries nor the top bit means anything but the sign.
    return QUANT_ZERO > 0 ? (bytes + (128 - QUANT_ZERO) * 0x01010101u) ^ 0x80808080u : bytes;
}

// One chain of additions, each of which GPUs have in the instruction.
int gemm_dot16(uvec4 a, uvec4 b, int sum)
{
    sum += gemm_dot4(a.x, b.x, 0);
    sum += gemm_dot4(a.y, b.y, 0);
    sum += gemm_dot4(a.z, b.z, 0);
    return sum + gemm_dot4(a.w, b.w, 0);
}

float acc[TM * TN];

void gemm_fetch_x(uint m0, uint k0, uint depth)
{
    uint lid = gl_LocalInvocationIndex;
    [[unroll]] for (uint i = 0; i < GEMM_X_PASSES; i++) {
        uint at = lid + i * THREADS, k = k0 + at % GEMM_ROW * 16;
        if (GEMM_BM * GEMM_ROW % THREADS == 0 || at < GEMM_BM * GEMM_ROW) {
            uint row = gemm_x_row(m0 + at / GEMM_ROW, 0);
            bool inside = row != GEMM_ZERO && k < depth;
            gemm_x_tile[at / GEMM_ROW * GEMM_STRIDE + at % GEMM_ROW] = inside ? x_packed[row + k / 16] : uvec4(0);
        }
    }
    for (uint at = lid; at < GEMM_BM * KQ; at += THREADS) {
        uint m = m0 + at / KQ, k = k0 + at % KQ * 32;
        gemm_x_scale[at] = m < p.m && k < depth ? x_scales[p.scales_first + m * (depth / 32) + k / 32] : vec2(0.0);
    }
}

void gemm_fetch_w(uint n0, uint k0, uint depth)
{
    uint lid = gl_LocalInvocationIndex;
    [[unroll]] for (uint i = 0; i < GEMM_W_PASSES; i++) {
        uint at = lid + i * THREADS, k = k0 + at % GEMM_ROW * 16;
        if (GEMM_BN * GEMM_ROW % THREADS == 0 || at < GEMM_BN * GEMM_ROW) {
            uint row = gemm_w_row(n0 + at / GEMM_ROW, 0);
            bool inside = row != GEMM_ZERO && k < depth;
            gemm_w_tile[at / GEMM_ROW * GEMM_STRIDE + at % GEMM_ROW] = inside ? gemm_dot_w(row, k) : uvec4(0);
        }
    }
    for (uint at = lid; at < GEMM_BN * KQ; at += THREADS) {
        uint row = gemm_w_row(n0 + at / KQ, 0), k = k0 + at % KQ * 32;
        gemm_w_scale[at] = row != GEMM_ZERO && k < depth ? quant_scale(row, p.w_column + k, p.w_columns) : vec2(0.0);
    }
}

void gemm_tile(uint m0, uint n0, uint taps, uint depth)
{
    uint tx = GEMM_TX, ty = GEMM_TY;
    [[unroll]] for (uint i = 0; i < TM * TN; i++)
        acc[i] = 0.0;
    for (uint k0 = 0; k0 < depth; k0 += KQ * 32) {
        barrier();
        gemm_fetch_x(m0, k0, depth);
        gemm_fetch_w(n0, k0, depth);
        barrier();
        [[unroll]] for (uint block = 0; block < KQ; block++) {
            uvec4 a[2 * TM];
            vec2 a_scale[TM];
            [[unroll]] for (uint r = 0; r < TM; r++) {
                uint row = ty + r * WY;
                a[2 * r] = gemm_x_tile[row * GEMM_STRIDE + 2 * block];
                a[2 * r + 1] = gemm_x_tile[row * GEMM_STRIDE + 2 * block + 1];
                a_scale[r] = gemm_x_scale[row * KQ + block];
            }
            [[unroll]] for (uint c = 0; c < TN; c++) {
                uint column = tx + c * WX;
                uvec4 low = gemm_w_tile[column * GEMM_STRIDE + 2 * block], high = gemm_w_tile[column * GEMM_STRIDE + 2 * block + 1];
                vec2 b_scale = gemm_w_scale[column * KQ + block];
                [[unroll]] for (uint r = 0; r < TM; r++) {
                    int sum = gemm_dot16(a[2 * r + 1], high, gemm_dot16(a[2 * r], low, 0));
                    acc[r * TN + c] += float(sum) * (a_scale[r].x * b_scale.x);
                    if (GEMM_MIN)
                        acc[r * TN + c] += a_scale[r].y * b_scale.y;
                }
            }
        }
    }
}

#endif
