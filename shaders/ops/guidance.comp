// Second stage of guidance, or all of it where nothing is rescaled.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "ops/guidance.glsl"

layout(constant_id = 2) const bool RESCALE = false;

layout(std430, binding = BR_GUIDANCE_PARTIAL) readonly buffer Partial { vec4 partial[]; };
layout(std430, binding = BR_GUIDANCE_Y) writeonly buffer Y { float y[]; };

// std(conditional) / std(guided) of a picture; 1 where the latter is 0.
float br_ratio(uint picture)
{
    vec4 all = partial[picture * p.chunks];
    float seen = float(min(p.chunk, p.count));
    for (uint chunk = 1; chunk < p.chunks; chunk++) {
        float count = float(min(p.chunk, p.count - chunk * p.chunk));
        vec4 part = partial[picture * p.chunks + chunk];
        all = vec4(br_merge(seen, all.xy, count, part.xy), br_merge(seen, all.zw, count, part.zw));
        seen += count;
    }
    return all.w > 0.0 ? sqrt(all.y / all.w) : 1.0;
}

void main()
{
    uint index = BR_GROUP_INDEX;
    if (index >= p.total)
        return;
    uint picture = index / p.chunks, chunk = index % p.chunks;
    uint first = picture * p.count + chunk * p.chunk, count = min(p.chunk, p.count - chunk * p.chunk);
    float scale = 1.0;
    if (RESCALE)
        scale = now.guidance_rescale * br_ratio(picture) + (1.0 - now.guidance_rescale);
    for (uint i = gl_LocalInvocationID.x; i < count; i += gl_WorkGroupSize.x)
        y[first + i] = scale * br_guided(first + i);
}
