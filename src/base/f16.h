/* IEEE 754 binary16 and bfloat16 conversions, round to nearest even. */
#ifndef BR_BASE_F16_H
#define BR_BASE_F16_H

#include <stdint.h>
#include <string.h>

static inline float br_f32_from_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline uint32_t br_f32_to_bits(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline float br_f32_from_f16(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000u) << 16;
    uint32_t magnitude = half & 0x7fffu;
    /* Shift into place and correct the exponent bias, 15 -> 127; infinity and NaN take the correction twice. A subnormal half is
     * its magnitude times 2^-24. Masks, not branches, so that loops over weights vectorise. */
    uint32_t normal = (magnitude << 13) + 0x38000000u + (0x38000000u & -(uint32_t)(magnitude >= 0x7c00u));
    uint32_t subnormal = br_f32_to_bits((float)(int32_t)magnitude * 0x1p-24f);
    uint32_t small = -(uint32_t)(magnitude < 0x400u);
    return br_f32_from_bits(sign | (subnormal & small) | (normal & ~small));
}

static inline uint16_t br_f32_to_f16(float value)
{
    uint32_t bits = br_f32_to_bits(value);
    /* Below 2^31, so signed: vector units compare those. Choices, not branches, here too. */
    int32_t magnitude = (int32_t)(bits & 0x7fffffffu);
    /* Subnormal half: adding 0.5 lets the FPU round at 2^-24. */
    uint32_t subnormal = br_f32_to_bits(br_f32_from_bits((uint32_t)magnitude) + 0.5f) - 0x3f000000u;
    uint32_t half = ((uint32_t)magnitude - 0x38000000u + 0xfffu + ((uint32_t)magnitude >> 13 & 1u)) >> 13;
    half = magnitude < 0x38800000 ? subnormal : half;
    half = magnitude >= 0x477ff000 ? 0x7c00u : half; /* rounds to 2^16 or more */
    half = magnitude > 0x7f800000 ? 0x7e00u : half;  /* NaN stays NaN */
    return (uint16_t)((bits >> 16 & 0x8000u) | half);
}

static inline float br_f32_from_bf16(uint16_t half)
{
    return br_f32_from_bits((uint32_t)half << 16);
}

static inline uint16_t br_f32_to_bf16(float value)
{
    uint32_t bits = br_f32_to_bits(value);
    if ((bits & 0x7fffffffu) > 0x7f800000u)
        return (uint16_t)(bits >> 16 | 0x40u);
    return (uint16_t)((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

#endif
