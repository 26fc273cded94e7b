#include "exec/fill.h"

#include <string.h>

#include "base/f16.h"
#include "exec/repack.h"

/* Elements converted at a time by way of float32; they stay in the first cache. */
#define CHUNK 2048

bool br_fill_possible(br_weight_dtype source, br_dtype stored)
{
    br_dtype blocks;
    return br_dtype_block(stored) == 1 || (br_repack_dtype(source, &blocks) && blocks == stored);
}

static bool has_blocks(const br_fill *fill)
{
    return br_dtype_block(fill->dtype) > 1;
}

/* Kernels of one tap are matrices: nothing changes places. */
static bool is_transposed(const br_fill *fill)
{
    return fill->layout == BR_WEIGHT_OHWI && fill->shape.dim[1] * fill->shape.dim[2] > 1;
}

static uint64_t row_bytes(const br_fill *fill)
{
    const br_shape *s = &fill->shape;
    return has_blocks(fill) ? (uint64_t)br_dtype_row_bytes(fill->dtype, s->dim[1])
                            : (uint64_t)(s->dim[1] * s->dim[2] * s->dim[3] * br_dtype_size(fill->dtype));
}

uint64_t br_fill_unit(const br_fill *fill)
{
    return has_blocks(fill) || is_transposed(fill) ? row_bytes(fill) : 64;
}

size_t br_fill_scratch(const br_fill *fill)
{
    return has_blocks(fill) || is_transposed(fill) ? 2 * (size_t)row_bytes(fill) : 0;
}

static void narrow(const float *values, int64_t count, uint8_t *restrict out)
{
    for (int64_t i = 0; i < count; i++) {
        uint16_t half = br_f32_to_f16(values[i]);
        memcpy(out + 2 * i, &half, sizeof half);
    }
}

static void narrow_bytes(const uint8_t *restrict source, int64_t count, uint8_t *restrict out)
{
    for (int64_t i = 0; i < count; i++) {
        float value;
        memcpy(&value, source + 4 * i, sizeof value);
        uint16_t half = br_f32_to_f16(value);
        memcpy(out + 2 * i, &half, sizeof half);
    }
}

static void store(br_dtype dtype, const float *values, int64_t count, uint8_t *out)
{
    if (dtype == BR_F16)
        narrow(values, count, out);
    else
        memcpy(out, values, (size_t)count * sizeof *values);
}

/* Types of one byte have 256 values. */
static void look_up(const br_fill *fill, int64_t first, int64_t count, uint8_t *out)
{
    uint8_t all[256], table[256 * sizeof(float)];
    float values[256];
    for (int i = 0; i < 256; i++)
        all[i] = (uint8_t)i;
    br_weight_to_f32(&(br_tensor_view){.dtype = fill->source->dtype, .data = all}, 0, 256, values);
    store(fill->dtype, values, 256, table);
    const uint8_t *source = (const uint8_t *)fill->source->data + first;
    if (fill->dtype == BR_F16)
        for (int64_t i = 0; i < count; i++)
            memcpy(out + 2 * i, table + 2 * source[i], 2);
    else
        for (int64_t i = 0; i < count; i++)
            memcpy(out + 4 * i, table + 4 * source[i], 4);
}

/* Elements in the order of the file. */
static void convert(const br_fill *fill, int64_t first, int64_t count, uint8_t *out)
{
    const br_tensor_view *source = fill->source;
    int64_t size = br_dtype_size(fill->dtype), source_size = (int64_t)br_weight_dtype_size(source->dtype);
    bool plain = br_weight_dtype_block(source->dtype) == 1;
    const uint8_t *from = (const uint8_t *)source->data + (plain ? first * source_size : 0);
    if (source->dtype == (fill->dtype == BR_F16 ? BR_WEIGHT_F16 : BR_WEIGHT_F32)) {
        memcpy(out, from, (size_t)(count * size));
    } else if (fill->dtype == BR_F16 && source->dtype == BR_WEIGHT_F32) {
        narrow_bytes(from, count, out);
    } else if (plain && source_size == 1) {
        look_up(fill, first, count, out);
    } else {
        float values[CHUNK];
        for (int64_t done = 0; done < count; done += CHUNK) {
            int64_t now = count - done < CHUNK ? count - done : CHUNK;
            br_weight_to_f32(source, (size_t)(first + done), (size_t)now, values);
            store(fill->dtype, values, now, out + done * size);
        }
    }
}

/* [channels, taps] -> [taps, channels] */
static void transpose_16(const uint8_t *restrict from, int64_t channels, int64_t taps, uint8_t *restrict out)
{
    for (int64_t tap = 0; tap < taps; tap++)
        for (int64_t i = 0; i < channels; i++)
            memcpy(out + 2 * (tap * channels + i), from + 2 * (i * taps + tap), 2);
}

static void transpose_32(const uint8_t *restrict from, int64_t channels, int64_t taps, uint8_t *restrict out)
{
    for (int64_t tap = 0; tap < taps; tap++)
        for (int64_t i = 0; i < channels; i++)
            memcpy(out + 4 * (tap * channels + i), from + 4 * (i * taps + tap), 4);
}

/* Row `index` of a matrix of blocks, or output channel `index` of a kernel, at `scratch`; works in the row's bytes behind it too. */
static void make_row(const br_fill *fill, int64_t index, uint8_t *scratch)
{
    const br_shape *s = &fill->shape;
    const br_tensor_view *source = fill->source;
    if (has_blocks(fill)) {
        int64_t file_row = s->dim[1] / br_dtype_block(fill->dtype) * (int64_t)br_weight_dtype_size(source->dtype);
        br_repack_row(fill->dtype, (const uint8_t *)source->data + index * file_row, s->dim[1], (uint32_t *)(void *)scratch);
        return;
    }
    int64_t taps = s->dim[1] * s->dim[2], channels = s->dim[3], row = taps * channels;
    uint8_t *stored = scratch + row_bytes(fill);
    convert(fill, index * row, row, stored);
    if (fill->dtype == BR_F16)
        transpose_16(stored, channels, taps, scratch);
    else
        transpose_32(stored, channels, taps, scratch);
}

void br_fill_range(const br_fill *fill, uint64_t at, uint64_t size, uint8_t *scratch, uint8_t *out_bytes)
{
    if (!has_blocks(fill) && !is_transposed(fill)) {
        uint64_t element = (uint64_t)br_dtype_size(fill->dtype);
        convert(fill, (int64_t)(at / element), (int64_t)(size / element), out_bytes);
        return;
    }
    uint64_t row = row_bytes(fill);
    for (uint64_t done = 0; done < size;) {
        uint64_t within = (at + done) % row, now = row - within < size - done ? row - within : size - done;
        make_row(fill, (int64_t)((at + done) / row), scratch);
        memcpy(out_bytes + done, scratch + within, now);
        done += now;
    }
}
