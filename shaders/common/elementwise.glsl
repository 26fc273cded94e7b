// One invocation an item; the C side is src/ops/elementwise.h. An item is VECTOR neighbouring elements: 4 where everything that is contiguous comes in
// multiples of 4, else 1. Bindings are declared twice, as x[] and as x4[]; a specialized shader uses one of the two.
#ifndef BR_ELEMENTWISE_GLSL
#define BR_ELEMENTWISE_GLSL

#include "common/types.glsl"

layout(local_size_x_id = 0) in;
layout(constant_id = 1) const uint VECTOR = 1;

// Beyond the last item in the invocations that only fill up the grid.
#define BR_ITEM (BR_GROUP_INDEX * gl_WorkGroupSize.x + gl_LocalInvocationID.x)

#endif
