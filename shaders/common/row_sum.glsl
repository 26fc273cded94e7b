// The sum over LANES neighbouring invocations, a power of two that the including shader declares.
#ifndef BR_ROW_SUM_GLSL
#define BR_ROW_SUM_GLSL

shared float s_sum[gl_WorkGroupSize.x];

// Every invocation has to call it.
float row_sum(float own)
{
    uint id = gl_LocalInvocationID.x, lane = id % LANES;
    if (LANES == 1)
        return own;
    s_sum[id] = own;
    barrier();
    for (uint step = LANES / 2; step > 0; step /= 2) {
        if (lane < step)
            s_sum[id] += s_sum[id + step];
        barrier();
    }
    float sum = s_sum[id - lane];
    barrier();
    return sum;
}

#endif
