// The layer norm of x by the workgroups that multiply it (BR_NORM_X), for products so small that a dispatch of its own takes longer than reading the rows again: a
// workgroup finds mean and deviation of its rows, and norms each quad of x on its way into shared memory. Mean first, then the distances from it, as
// ops/layer_norm.comp. Needs gemm_load_x and GEMM_BM; depth is a multiple of 4, and there are as many invocations as rows at least.
#ifndef BR_GEMM_NORM_GLSL
#define BR_GEMM_NORM_GLSL

layout(set = 0, binding = BR_LINEAR_X_GAMMA) readonly restrict buffer br_x_gamma { vec4 x_gamma4[]; };
layout(set = 0, binding = BR_LINEAR_X_BETA) readonly restrict buffer br_x_beta { vec4 x_beta4[]; };

const uint NORM_TEAM = gl_WorkGroupSize.x / GEMM_BM; // invocations that share a row

shared float norm_sums[gl_WorkGroupSize.x];
shared vec2 norm_rows[GEMM_BM]; // mean, and what the distances from it are multiplied with

// Every invocation has to call it.
float norm_team_sum(float own)
{
    uint lid = gl_LocalInvocationIndex, first = lid / NORM_TEAM * NORM_TEAM;
    barrier();
    norm_sums[lid] = own;
    barrier();
    float sum = 0.0;
    [[unroll]] for (uint i = 0; i < NORM_TEAM; i++)
        if (first + i < gl_WorkGroupSize.x)
            sum += norm_sums[first + i];
    return sum;
}

// Of the tile's rows, the first of which is m0. What it leaves is there behind the next barrier.
void gemm_norm_find(uint m0, uint depth)
{
    uint row = gl_LocalInvocationIndex / NORM_TEAM, lane = gl_LocalInvocationIndex % NORM_TEAM;
    uint at = row < GEMM_BM ? gemm_x_row(m0 + row, 0) : GEMM_ZERO, quads = at == GEMM_ZERO ? 0 : depth / 4;
    vec4 sum = vec4(0.0);
    for (uint quad = lane; quad < quads; quad += NORM_TEAM)
        sum += gemm_load_x(at, quad * 4, depth); // 40 of them at the most: with a large mean a longer sum would lose what tells its elements apart
    float mean = norm_team_sum(dot(sum, vec4(1.0))) / float(depth);
    sum = vec4(0.0);
    for (uint quad = lane; quad < quads; quad += NORM_TEAM) {
        vec4 distance = gemm_load_x(at, quad * 4, depth) - mean;
        sum += distance * distance;
    }
    float scale = inversesqrt(norm_team_sum(dot(sum, vec4(1.0))) / float(depth) + p.eps);
    if (row < GEMM_BM && lane == 0)
        norm_rows[row] = vec2(mean, scale);
}

vec4 gemm_norm(vec4 quad, uint row, uint k, uint depth)
{
    vec2 of_row = norm_rows[row];
    uint at = min(k, depth - 4) / 4;
    return mix((quad - of_row.x) * of_row.y * x_gamma4[at] + x_beta4[at], vec4(0.0), bvec4(k >= depth));
}

#endif
