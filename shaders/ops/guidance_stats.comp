// First stage of guidance: partial[picture, chunk] = (mean, M2) of the conditional output, then of the guided one.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "ops/guidance.glsl"

layout(std430, binding = BR_GUIDANCE_PARTIAL) writeonly buffer Partial { vec4 partial[]; };

shared float s_count[gl_WorkGroupSize.x];
shared vec4 s_part[gl_WorkGroupSize.x];

void main()
{
    uint index = BR_GROUP_INDEX;
    if (index >= p.total)
        return;
    uint picture = index / p.chunks, chunk = index % p.chunks, id = gl_LocalInvocationID.x;
    uint first = picture * p.count + chunk * p.chunk, count = min(p.chunk, p.count - chunk * p.chunk);
    float seen = 0;
    vec2 mean = vec2(0), m2 = vec2(0); // Welford (1962)
    for (uint i = id; i < count; i += gl_WorkGroupSize.x) {
        vec2 value = vec2(br_conditional(first + i), br_guided(first + i));
        seen += 1.0;
        vec2 distance = value - mean;
        mean += distance * (1.0 / seen);
        m2 += distance * (value - mean);
    }
    s_count[id] = seen;
    s_part[id] = vec4(mean.x, m2.x, mean.y, m2.y);
    barrier();
    for (uint step = gl_WorkGroupSize.x / 2; step > 0; step /= 2) {
        if (id < step) {
            float a = s_count[id], b = s_count[id + step];
            vec4 one = s_part[id], other = s_part[id + step];
            s_part[id] = vec4(br_merge(a, one.xy, b, other.xy), br_merge(a, one.zw, b, other.zw));
            s_count[id] = a + b;
        }
        barrier();
    }
    if (id == 0)
        partial[index] = s_part[0];
}
