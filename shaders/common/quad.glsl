// Four neighbouring activations as they lie in memory: X_QUAD, X_T_QUAD(vec4) to store them and X_T_VALUE(quad) for their values; likewise F32_QUAD and F32_VALUE.
// On CPU devices (BR_LANES) every element of a load or store is a turn over the lanes, so halves come and go in words; and a conversion from f32 is some 45
// instructions of the driver's, which a tile's epilogue repeats for every output, so it is done here in 17.
#ifndef BR_QUAD_GLSL
#define BR_QUAD_GLSL

#include "common/types.glsl"

#define F32 float
#define F32_QUAD(VALUE) (VALUE)
#define F32_VALUE(QUAD) (QUAD)

#if X_F16 && BR_LANES

// The bits of the nearest half, of two the even one, without the sign: br_f32_to_f16 of base/f16.h.
uvec4 br_half_bits(vec4 value)
{
    uvec4 bits = floatBitsToUint(value) & 0x7fffffffu;
    uvec4 normal = (bits + 0xc8000fffu + (bits >> 13 & 1u)) >> 13;                // another bias of the exponent, and nearly half of the last place
    uvec4 subnormal = floatBitsToUint(uintBitsToFloat(bits) + 0.5) - 0x3f000000u; // the last place of 0.5 is that of subnormal halves
    uvec4 finite = mix(min(normal, 0x7c00u), subnormal, lessThan(bits, uvec4(0x38800000u)));
    return mix(finite, uvec4(0x7e00u), greaterThan(bits, uvec4(0x7f800000u)));
}

uvec2 br_pack_halves(vec4 value)
{
    uvec4 halves = br_half_bits(value), signs = floatBitsToUint(value) & 0x80000000u;
    return halves.xz | signs.xz >> 16 | halves.yw << 16 | signs.yw;
}

vec4 br_unpack_halves(uvec2 halves)
{
    return vec4(unpackHalf2x16(halves.x), unpackHalf2x16(halves.y));
}

#define X_QUAD uvec2
#define X_T_QUAD(VALUE) br_pack_halves(VALUE)
#define X_T_VALUE(QUAD) br_unpack_halves(QUAD)

#else

#define X_QUAD X_T4
#define X_T_QUAD(VALUE) X_T4(VALUE)
#define X_T_VALUE(QUAD) vec4(QUAD)

#endif

#endif
