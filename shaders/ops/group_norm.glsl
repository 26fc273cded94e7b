// What both stages of group_norm share. A workgroup takes `chunk_rows` pixels of a block of BLOCK channels (whole groups). Neighbouring invocations take
// neighbouring channels, so memory is read in whole lines however narrow a group is; COLUMNS of them make a pixel, LANES pixels go side by side.
// Statistics are (count, mean, M2 = sum of squared distances from the mean), merged by the formula of Chan, Golub and LeVeque (1979): unlike E[x^2] - E[x]^2
// it does not cancel when the mean is large.
#ifndef BR_GROUP_NORM_GLSL
#define BR_GROUP_NORM_GLSL

#include "common/types.glsl"

layout(local_size_x_id = 0) in;
layout(constant_id = 1) const uint VECTOR = 1;
layout(constant_id = 2) const uint BLOCK = 1;       // channels
layout(constant_id = 3) const uint COLUMNS = 1;     // invocations, each with VECTOR channels
layout(constant_id = 4) const uint LANES = 1;
layout(constant_id = 5) const uint GROUP_WIDTH = 1; // channels of a group
layout(constant_id = 6) const uint TEAM = 1;        // invocations that merge one group: a power of two, TEAM * (BLOCK / GROUP_WIDTH) fit the workgroup
layout(constant_id = 8) const bool BESIDE = false;  // channels from p.x_channels on are those of a second value; vectors are never of both

shared vec2 s_team[gl_WorkGroupSize.x];

// Sum over the members of each team; every invocation of the workgroup has to call it.
vec2 br_team_sum(vec2 value)
{
    uint i = gl_LocalInvocationID.x, member = i % TEAM;
    s_team[i] = value;
    barrier();
    for (uint step = TEAM / 2; step > 0; step /= 2) {
        if (member < step)
            s_team[i] += s_team[i + step];
        barrier();
    }
    vec2 sum = s_team[i - member];
    barrier();
    return sum;
}

// (count, mean, M2) of part `entry` of a group of this block; what has no data has count 0. The shader defines it.
vec3 br_part(uint group, uint entry);

// (count, mean, M2) of the group that this invocation's team merges, over `entries` parts.
vec3 br_merge(uint entries)
{
    uint team = gl_LocalInvocationID.x / TEAM, member = gl_LocalInvocationID.x % TEAM;
    bool works = team < BLOCK / GROUP_WIDTH;
    float near = works ? br_part(team, 0).y : 0.0; // sums of distances from it are small
    vec2 sum = vec2(0);
    if (works)
        for (uint e = member; e < entries; e += TEAM) {
            vec3 part = br_part(team, e);
            sum += vec2(part.x, part.x * (part.y - near));
        }
    sum = br_team_sum(sum);
    float mean = near + sum.y / max(sum.x, 1.0);
    float m2 = 0;
    if (works)
        for (uint e = member; e < entries; e += TEAM) {
            vec3 part = br_part(team, e);
            m2 += part.z + part.x * (part.y - mean) * (part.y - mean);
        }
    return vec3(sum.x, mean, br_team_sum(vec2(m2, 0)).x);
}

#endif
