// Statistics of groups of channels. They are (count, mean, M2 = sum of squared distances from the mean), merged by the formula of Chan, Golub and LeVeque
// (1979): unlike E[x^2] - E[x]^2 it does not cancel when the mean is large.
//
// What tells models' norms apart is pushed, not specialized: one pipeline does for all of a model's numbers of channels.
#ifndef BR_GROUP_NORM_GLSL
#define BR_GROUP_NORM_GLSL

#include "common/types.glsl"
#include "ops/group_norm.h"

layout(local_size_x_id = 0) in; // before gl_WorkGroupSize is read

shared vec2 s_team[gl_WorkGroupSize.x];

// Sum over the members of each team; every invocation of the workgroup has to call it.
vec2 br_team_sum(vec2 value)
{
    uint i = gl_LocalInvocationID.x, member = i % p.team;
    s_team[i] = value;
    barrier();
    for (uint step = p.team / 2; step > 0; step /= 2) {
        if (member < step)
            s_team[i] += s_team[i + step];
        barrier();
    }
    vec2 sum = s_team[i - member];
    barrier();
    return sum;
}

// (count, mean, M2) of part `entry` of a group of this workgroup's block; what has no data has count 0. The shader defines it.
vec3 br_part(uint group, uint entry);

// (count, mean, M2) of the group that this invocation's team merges, over `entries` parts.
vec3 br_merge(uint entries)
{
    uint team = gl_LocalInvocationID.x / p.team, member = gl_LocalInvocationID.x % p.team;
    bool works = team < p.block / p.group_width;
    float near = works ? br_part(team, 0).y : 0.0; // sums of distances from it are small
    vec2 sum = vec2(0);
    if (works)
        for (uint e = member; e < entries; e += p.team) {
            vec3 part = br_part(team, e);
            sum += vec2(part.x, part.x * (part.y - near));
        }
    sum = br_team_sum(sum);
    float mean = near + sum.y / max(sum.x, 1.0);
    float m2 = 0;
    if (works)
        for (uint e = member; e < entries; e += p.team) {
            vec3 part = br_part(team, e);
            m2 += part.z + part.x * (part.y - mean) * (part.y - mean);
        }
    return vec3(sum.x, mean, br_team_sum(vec2(m2, 0)).x);
}

#endif
