#version 450
#extension GL_GOOGLE_include_directive : require
#include "tests/saxpy.h"

layout(local_size_x = 64) in;
layout(constant_id = 0) const float factor = 1.0;

layout(set = 0, binding = 0) writeonly buffer br_out { float out_values[]; };
layout(set = 0, binding = 1) readonly buffer br_x { float x[]; };
layout(set = 0, binding = 2) readonly buffer br_y { float y[]; };

void main()
{
    uint i = gl_GlobalInvocationID.x;
    if (i < p.count)
        out_values[i] = factor * p.scale * x[i] + y[i];
}
