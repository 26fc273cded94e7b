/* Weights to float32 and back. Sources may be unaligned, so elements are read with memcpy, which compilers turn into plain vector loads. */
#include <string.h>

#include "base/f16.h"
#include "weights/quant.h"
#include "weights/weights.h"

static float f8_e4m3_to_f32(uint8_t bits)
{
    uint32_t sign = (uint32_t)(bits & 0x80u) << 24, magnitude = bits & 0x7fu;
    if (magnitude == 0x7f)
        return br_f32_from_bits(sign | 0x7fc00000u);
    /* As for f16: shift into place, then correct the bias 7 -> 127 by a multiplication. */
    float scaled = br_f32_from_bits(magnitude << 20) * 0x1p120f;
    return br_f32_from_bits(sign | br_f32_to_bits(scaled));
}

/* E5M2 is a half without its low byte. */
static float f8_e5m2_to_f32(uint8_t bits)
{
    return br_f32_from_f16((uint16_t)(bits << 8));
}

#define CONVERT(name, type, expression)                                        \
    static void name(const uint8_t *restrict source, size_t count, float *out) \
    {                                                                          \
        for (size_t i = 0; i < count; i++) {                                   \
            type value;                                                        \
            memcpy(&value, source + i * sizeof value, sizeof value);           \
            out[i] = expression;                                               \
        }                                                                      \
    }

CONVERT(from_f64, double, (float)value)
CONVERT(from_f16, uint16_t, br_f32_from_f16(value))
CONVERT(from_bf16, uint16_t, br_f32_from_bf16(value))
CONVERT(from_f8_e4m3, uint8_t, f8_e4m3_to_f32(value))
CONVERT(from_f8_e5m2, uint8_t, f8_e5m2_to_f32(value))
CONVERT(from_i64, int64_t, (float)value)
CONVERT(from_i32, int32_t, (float)value)
CONVERT(from_i16, int16_t, (float)value)
CONVERT(from_i8, int8_t, (float)value)
CONVERT(from_u64, uint64_t, (float)value)
CONVERT(from_u32, uint32_t, (float)value)
CONVERT(from_u16, uint16_t, (float)value)
CONVERT(from_u8, uint8_t, (float)value)
CONVERT(from_bool, uint8_t, value ? 1.0f : 0.0f)

static void from_f32(const uint8_t *restrict source, size_t count, float *out)
{
    memcpy(out, source, count * sizeof *out);
}

/* A range may begin and end inside a block. */
static void from_blocks(const br_tensor_view *view, size_t first, size_t count, float *out)
{
    size_t block = br_weight_dtype_block(view->dtype), size = br_weight_dtype_size(view->dtype);
    float values[BR_WEIGHT_BLOCK_MAX];
    while (count > 0) {
        const uint8_t *source = (const uint8_t *)view->data + first / block * size;
        size_t skip = first % block, now;
        if (skip == 0 && count >= block) {
            now = count / block * block;
            br_quant_decode(view->dtype, source, count / block, out);
        } else {
            now = block - skip < count ? block - skip : count;
            br_quant_decode(view->dtype, source, 1, values);
            memcpy(out, values + skip, now * sizeof *out);
        }
        first += now;
        count -= now;
        out += now;
    }
}

void br_weight_to_f32(const br_tensor_view *view, size_t first, size_t count, float *out_values)
{
    static void (*const convert[BR_WEIGHT_DTYPE_COUNT])(const uint8_t *restrict source, size_t count, float *out) = {
        [BR_WEIGHT_F64] = from_f64,   [BR_WEIGHT_F32] = from_f32,         [BR_WEIGHT_F16] = from_f16,
        [BR_WEIGHT_BF16] = from_bf16, [BR_WEIGHT_F8_E4M3] = from_f8_e4m3, [BR_WEIGHT_F8_E5M2] = from_f8_e5m2,
        [BR_WEIGHT_I64] = from_i64,   [BR_WEIGHT_I32] = from_i32,         [BR_WEIGHT_I16] = from_i16,
        [BR_WEIGHT_I8] = from_i8,     [BR_WEIGHT_U64] = from_u64,         [BR_WEIGHT_U32] = from_u32,
        [BR_WEIGHT_U16] = from_u16,   [BR_WEIGHT_U8] = from_u8,           [BR_WEIGHT_BOOL] = from_bool,
    };
    if (count && br_weight_dtype_block(view->dtype) > 1)
        from_blocks(view, first, count, out_values);
    else if (count)
        convert[view->dtype]((const uint8_t *)view->data + first * br_weight_dtype_size(view->dtype), count, out_values);
}

void br_weight_from_f32(br_weight_dtype dtype, const float *values, size_t count, void *out_bytes)
{
    uint8_t *out = out_bytes;
    if (dtype == BR_WEIGHT_F32) {
        memcpy(out, values, count * sizeof *values);
        return;
    }
    if (dtype != BR_WEIGHT_F16 && dtype != BR_WEIGHT_BF16) {
        br_quant_encode(dtype, values, count / br_weight_dtype_block(dtype), out);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        uint16_t half = dtype == BR_WEIGHT_F16 ? br_f32_to_f16(values[i]) : br_f32_to_bf16(values[i]);
        memcpy(out + i * sizeof half, &half, sizeof half);
    }
}
