// The second stage of a product in parts (common/gemm_parts.glsl) whose result goes to a layer norm: a workgroup makes a row of both. N is a multiple of 4.
#ifndef BR_PARTS_NORM_GLSL
#define BR_PARTS_NORM_GLSL

layout(constant_id = GEMM_SPEC_NEXT) const uint QUADS = 1; // of the row, that an invocation makes at the most

layout(set = 0, binding = BR_LINEAR_GAMMA) readonly restrict buffer br_gamma { vec4 gamma4[]; };
layout(set = 0, binding = BR_LINEAR_BETA) readonly restrict buffer br_beta { vec4 beta4[]; };
layout(set = 0, binding = BR_LINEAR_NORMED) writeonly buffer br_normed { X_QUAD normed4[]; };

const uint LANES = gl_WorkGroupSize.x;
#include "common/row_sum.glsl"

void add_parts_and_norm(uint m)
{
    uint lane = gl_LocalInvocationID.x, quads = p.n / 4;
    vec4 kept[QUADS], sum = vec4(0.0);
    [[unroll]] for (uint i = 0; i < QUADS; i++)
        kept[i] = vec4(0.0);
    for (uint part = 0; part < p.parts; part++) {
        [[unroll]] for (uint i = 0; i < QUADS; i++) {
            uint quad = lane + i * LANES;
            if (quad < quads)
                kept[i] += gemm_load_sums(gemm_sums_at(part, m, quad * 4), 4);
        }
    }
    [[unroll]] for (uint i = 0; i < QUADS; i++) {
        uint quad = lane + i * LANES;
        if (quad < quads) {
            kept[i] = gemm_finish(m, quad * 4, kept[i], vec4(0.0));
            y4[(p.y_first + m * p.y_stride) / 4 + quad] = X_T_QUAD(kept[i]);
        }
        sum += kept[i];
    }
    float mean = row_sum(dot(sum, vec4(1.0))) / float(p.n);
    sum = vec4(0.0);
    [[unroll]] for (uint i = 0; i < QUADS; i++) {
        if (lane + i * LANES < quads)
            sum += (kept[i] - mean) * (kept[i] - mean);
    }
    float scale = inversesqrt(row_sum(dot(sum, vec4(1.0))) / float(p.n) + p.eps);
    [[unroll]] for (uint i = 0; i < QUADS; i++) {
        uint quad = lane + i * LANES;
        if (quad < quads)
            normed4[m * quads + quad] = X_T_QUAD((kept[i] - mean) * scale * gamma4[quad] + beta4[quad]);
    }
}

#endif
