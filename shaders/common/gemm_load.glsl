// Four neighbours along k of a row of x or of w, for the tile loops: zeros past `depth` and for the row GEMM_ZERO. In fours they are loaded without a
// branch, from element 0 where they count as zeros, so that loads follow one another.
#ifndef BR_GEMM_LOAD_GLSL
#define BR_GEMM_LOAD_GLSL

#define GEMM_LOAD(NAME, BUFFER)                                  \
    vec4 NAME(uint row, uint k, uint depth)                      \
    {                                                            \
        bool zero = any(bvec2(row == GEMM_ZERO, k >= depth));    \
        uint at = mix(row + k, 0u, zero);                        \
        if (VEC) {                                               \
            vec4 quad = vec4(BUFFER##4[at >> 2]);                \
            return mix(quad, vec4(0.0), bvec4(zero));            \
        }                                                        \
        if (zero)                                                \
            return vec4(0.0);                                    \
        vec4 value = vec4(float(BUFFER[at]), 0.0, 0.0, 0.0);     \
        if (k + 1 < depth)                                       \
            value.y = float(BUFFER[at + 1]);                     \
        if (k + 2 < depth)                                       \
            value.z = float(BUFFER[at + 2]);                     \
        if (k + 3 < depth)                                       \
            value.w = float(BUFFER[at + 3]);                     \
        return value;                                            \
    }
GEMM_LOAD(gemm_load_x, x)
#if W_QUANT
vec4 gemm_load_w(uint row, uint k, uint depth)
{
    return row == GEMM_ZERO || k >= depth ? vec4(0.0) : quant_load(row, p.w_column + k, p.w_columns);
}
#else
GEMM_LOAD(gemm_load_w, w)
#endif

// What a quad of x becomes on its way into shared memory, of row `row` of the tile: nothing else unless the op defines that.
#ifndef GEMM_NORM
#define GEMM_NORM(quad, row, k, depth) quad
#endif

#endif
