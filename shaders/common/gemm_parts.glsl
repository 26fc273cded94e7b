// Products whose depth is divided among several workgroups, because the outputs alone give too few of them: each leaves its sums, f32 and without the
// epilogue, in `sums`, [p.parts, m, n · GEMM_HALVES], gates behind the values. A second dispatch, BR_PARTS, adds them up and does the epilogue.
#ifndef BR_GEMM_PARTS_GLSL
#define BR_GEMM_PARTS_GLSL

uint gemm_sums_at(uint part, uint m, uint n)
{
    return (part * p.m + m) * (p.n * GEMM_HALVES) + n;
}

#if BR_PARTS
GEMM_LOAD_STORED(gemm_load_sums, part, F32)

void gemm_store(uint m, uint n, vec4 v, vec4 gate);

// Each invocation makes GEMM_V neighbouring outputs.
void gemm_add_parts(uint group)
{
    uint item = group * gl_WorkGroupSize.x + gl_LocalInvocationIndex, columns = (p.n + GEMM_V - 1) / GEMM_V;
    uint m = item / columns, n = item % columns * GEMM_V, count = p.n - n;
    if (m >= p.m)
        return;
    vec4 value = vec4(0.0), gate = vec4(0.0);
    for (uint i = 0; i < p.parts; i++) {
        value += gemm_load_sums(gemm_sums_at(i, m, n), count);
        if (GEGLU)
            gate += gemm_load_sums(gemm_sums_at(i, m, p.n + n), count);
    }
    gemm_store(m, n, value, gate);
}
#else
// This workgroup's part of the depth, in steps of the tile loop: [gemm_first_step, gemm_last_step).
uint gemm_part, gemm_first_step, gemm_last_step;

// The tile of a workgroup of p.total; its part of a depth of `taps` times `steps` steps.
uint gemm_take_part(uint group, uint taps, uint steps)
{
    uint tiles = p.total / p.parts;
    gemm_part = group / tiles;
    gemm_first_step = gemm_part * (taps * steps) / p.parts;
    gemm_last_step = (gemm_part + 1) * (taps * steps) / p.parts;
    return group % tiles;
}

void gemm_store_sums(uint m, uint n, vec4 value, vec4 gate)
{
    uint at = gemm_sums_at(gemm_part, m, n), count = p.n - n;
    GEMM_STORE(part, F32, at, value, count)
    if (GEGLU) {
        GEMM_STORE(part, F32, at + p.n, gate, count)
    }
}
#endif

#endif
