// For gemm_store of the ops, which gets GEMM_V sums of neighbouring columns: loads of what belongs to them, and the store. `count`: columns up to the end.
#ifndef BR_GEMM_STORE_GLSL
#define BR_GEMM_STORE_GLSL

#define GEMM_LOAD_STORED(NAME, BUFFER, T)                    \
    vec4 NAME(uint at, uint count)                           \
    {                                                        \
        if (VEC_STORE)                                       \
            return T##_VALUE(BUFFER##4[at >> 2]);            \
        vec4 value = vec4(0.0);                              \
        [[unroll]] for (uint e = 0; e < GEMM_V; e++) {       \
            if (e < count)                                   \
                value[e] = float(BUFFER[at + e]);            \
        }                                                    \
        return value;                                        \
    }

#define GEMM_STORE(BUFFER, T, AT, VALUE, COUNT)              \
    if (VEC_STORE) {                                         \
        BUFFER##4[(AT) >> 2] = T##_QUAD(VALUE);              \
    } else {                                                 \
        [[unroll]] for (uint e = 0; e < GEMM_V; e++) {       \
            if (e < (COUNT))                                 \
                BUFFER[(AT) + e] = T((VALUE)[e]);            \
        }                                                    \
    }

#endif
