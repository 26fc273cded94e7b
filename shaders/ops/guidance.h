#ifndef BR_SHADER_OPS_GUIDANCE
#define BR_SHADER_OPS_GUIDANCE

#include "common/abi.h"

#define BR_GUIDANCE_STEP 0
#define BR_GUIDANCE_OUT 1
#define BR_GUIDANCE_PARTIAL 2
#define BR_GUIDANCE_Y 3

// A workgroup takes one chunk of one picture.
BR_PUSH(br_guidance_push,
    uint total;  // workgroups
    uint copy;   // elements of all pictures: what lies between a copy and the next
    uint count;  // elements of a picture
    uint chunk;  // elements of a chunk; the last of a picture may have fewer
    uint chunks; // of a picture
)

#endif
