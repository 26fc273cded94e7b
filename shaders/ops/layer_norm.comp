// y = (x - mean) / sqrt(var + eps) * gamma + beta over each row. LANES invocations share a row; mean first, then the distances from it, so that a large mean
// does not cancel. Up to REGISTERS vectors of the row stay in registers, the rest is read again (from the cache). x and y may be the same memory:
// an invocation overwrites only what it alone has read.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "common/quad.glsl"
#include "ops/layer_norm.h"

layout(local_size_x_id = 0) in;
layout(constant_id = 1) const uint VECTOR = 1;
layout(constant_id = 2) const uint LANES = 1; // a power of two; the workgroup takes gl_WorkGroupSize.x / LANES rows
layout(constant_id = 3) const uint REGISTERS = 1;

layout(std430, binding = BR_LAYER_NORM_X) readonly buffer X { X_T x[]; };
layout(std430, binding = BR_LAYER_NORM_X) readonly buffer X4 { X_QUAD x4[]; };
layout(std430, binding = BR_LAYER_NORM_GAMMA) readonly buffer Gamma { float gamma[]; };
layout(std430, binding = BR_LAYER_NORM_GAMMA) readonly buffer Gamma4 { vec4 gamma4[]; };
layout(std430, binding = BR_LAYER_NORM_BETA) readonly buffer Beta { float beta[]; };
layout(std430, binding = BR_LAYER_NORM_BETA) readonly buffer Beta4 { vec4 beta4[]; };
layout(std430, binding = BR_LAYER_NORM_Y) writeonly buffer Y { X_T y[]; };
layout(std430, binding = BR_LAYER_NORM_Y) writeonly buffer Y4 { X_QUAD y4[]; };

#include "common/row_sum.glsl"

// Of the vectors' elements.
float vector_sum(vec4 value)
{
    return VECTOR == 4 ? value.x + value.y + (value.z + value.w) : value.x;
}

vec4 read_x(uint i)
{
    if (VECTOR == 4)
        return X_T_VALUE(x4[p.x_skip / 4 + i]);
    return vec4(float(x[p.x_skip + i]));
}

void write_y(uint row, uint d, vec4 value)
{
    uint width = p.width / VECTOR;
    if (VECTOR == 4)
        y4[p.y_skip / 4 + row * width + d] = X_T_QUAD(value * gamma4[d] + beta4[d]);
    else
        y[p.y_skip + row * width + d] = X_T(value.x * gamma[d] + beta[d]);
}

void main()
{
    uint index = BR_GROUP_INDEX;
    if (index >= p.total)
        return;
    uint lane = gl_LocalInvocationID.x % LANES;
    uint row = index * (gl_WorkGroupSize.x / LANES) + gl_LocalInvocationID.x / LANES;
    uint width = row < p.rows ? p.width / VECTOR : 0; // vectors; lanes without a row have nothing to add to the sums
    uint begin = row * (p.width / VECTOR);

    // A whole row's sum, where one invocation makes it, is of distances from the first element: long sums of elements with a large mean would lose what tells
    // them apart.
    float near = LANES == 1 && width > 0 ? read_x(begin).x : 0.0;
    vec4 kept[REGISTERS];
    vec4 sum = vec4(0);
    for (uint k = 0; k < REGISTERS; k++) {
        uint d = lane + k * LANES;
        kept[k] = vec4(near);
        if (d < width)
            kept[k] = read_x(begin + d);
        sum += kept[k] - near;
    }
    for (uint d = lane + REGISTERS * LANES; d < width; d += LANES)
        sum += read_x(begin + d) - near;
    float mean = near + row_sum(vector_sum(sum)) / float(p.width);

    sum = vec4(0);
    for (uint k = 0; k < REGISTERS; k++)
        if (lane + k * LANES < width)
            sum += (kept[k] - mean) * (kept[k] - mean);
    for (uint d = lane + REGISTERS * LANES; d < width; d += LANES) {
        vec4 distance = read_x(begin + d) - mean;
        sum += distance * distance;
    }
    float scale = inversesqrt(row_sum(vector_sum(sum)) / float(p.width) + p.eps);

    for (uint k = 0; k < REGISTERS; k++)
        if (lane + k * LANES < width)
            write_y(row, lane + k * LANES, (kept[k] - mean) * scale);
    for (uint d = lane + REGISTERS * LANES; d < width; d += LANES)
        write_y(row, d, (read_x(begin + d) - mean) * scale);
}
