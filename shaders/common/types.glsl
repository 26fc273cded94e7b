// Storage types by permutation: -DX_F16=1 stores activations as 16-bit floats, -DW_F16=1 matrices and kernels, -DW_QUANT=1 matrices as the words of blocks (common/quant.h), -DY_F16=1 the result of an op that changes
// the type (otherwise Y is X). Arithmetic is f32 throughout.
// Buffers hold X_T / X_T4 (W_T / W_T4, Y_T / Y_T4); float(...) and vec4(...) read them, X_T(...) and X_T4(...) write them.
#ifndef BR_TYPES_GLSL
#define BR_TYPES_GLSL

#ifndef X_F16
#define X_F16 0
#endif
#ifndef W_F16
#define W_F16 X_F16
#endif
#ifndef W_QUANT
#define W_QUANT 0
#endif
#ifndef Y_F16
#define Y_F16 X_F16
#endif

#if X_F16 || W_F16 || Y_F16
#extension GL_EXT_shader_16bit_storage : require
#endif

#if X_F16
#define X_T float16_t
#define X_T4 f16vec4
#else
#define X_T float
#define X_T4 vec4
#endif

#if W_F16
#define W_T float16_t
#define W_T4 f16vec4
#else
#define W_T float
#define W_T4 vec4
#endif

#if Y_F16
#define Y_T float16_t
#define Y_T4 f16vec4
#else
#define Y_T float
#define Y_T4 vec4
#endif

// Linear workgroup index of a grid folded by br_emit_fold.
#define BR_GROUP_INDEX (gl_WorkGroupID.x + gl_WorkGroupID.y * gl_NumWorkGroups.x)

#endif
