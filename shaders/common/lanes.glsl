// What one lane has, for all lanes of a subgroup of BR_LANES forms. A shuffle is one instruction where a broadcast would be a loop over the lanes; only where
// loops are written out beforehand (BR_UNROLLED), and the lane's number is a constant, is a broadcast less.
#ifndef BR_LANES_GLSL
#define BR_LANES_GLSL

#if BR_UNROLLED
#extension GL_KHR_shader_subgroup_ballot : require
#define br_lane_value subgroupBroadcast
#else
#extension GL_KHR_shader_subgroup_shuffle : require
#define br_lane_value subgroupShuffle
#endif

vec4 br_lane_values(vec4 v, uint lane)
{
    return vec4(br_lane_value(v.x, lane), br_lane_value(v.y, lane), br_lane_value(v.z, lane), br_lane_value(v.w, lane));
}

#endif
