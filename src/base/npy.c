#include "base/npy.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/f16.h"
#include "base/file.h"

/* numpy.lib.format: magic, two version bytes, header length (2 bytes in version 1, 4 from version 2 on), then a Python dict
 * literal padded with spaces so that the data begins at a multiple of 64. */
static const char MAGIC[6] = {'\x93', 'N', 'U', 'M', 'P', 'Y'};
#define ALIGNMENT 64
#define HEADER_MAX 4096 /* ours and numpy's take 128 bytes */

typedef enum { ELEMENT_F2, ELEMENT_F4, ELEMENT_F8, ELEMENT_I4, ELEMENT_I8 } element;

static const struct {
    const char *descr;
    br_npy_type type;
    size_t size;
} ELEMENTS[] = {
    [ELEMENT_F2] = {"<f2", BR_NPY_F32, 2}, [ELEMENT_F4] = {"<f4", BR_NPY_F32, 4}, [ELEMENT_F8] = {"<f8", BR_NPY_F32, 8},
    [ELEMENT_I4] = {"<i4", BR_NPY_I32, 4}, [ELEMENT_I8] = {"<i8", BR_NPY_I32, 8},
};
#define ELEMENT_COUNT ((int)(sizeof ELEMENTS / sizeof ELEMENTS[0]))

/* The text after 'key': with spaces skipped, or NULL. */
static const char *find_value(const char *header, const char *key)
{
    char quoted[32];
    snprintf(quoted, sizeof quoted, "'%s'", key);
    const char *at = strstr(header, quoted);
    if (!at)
        return NULL;
    at += strlen(quoted);
    at += strspn(at, " ");
    if (*at++ != ':')
        return NULL;
    return at + strspn(at, " ");
}

static br_status parse_shape(const char *path, const char *at, br_npy *npy)
{
    const char *text = at;
    if (!at || *at++ != '(')
        return br_fail(BR_ERROR_FORMAT, "%s: npy header has no shape", path);
    npy->count = 1;
    for (;;) {
        at += strspn(at, " ");
        if (*at == ')')
            return NULL;
        char *end;
        long long dim = *at >= '0' && *at <= '9' ? strtoll(at, &end, 10) : -1;
        if (dim < 0)
            return br_fail(BR_ERROR_FORMAT, "%s: npy header has a malformed shape %.60s", path, text);
        if (npy->rank == BR_NPY_MAX_RANK)
            return br_fail(BR_ERROR_FORMAT, "%s: npy array has more than %d dimensions", path, BR_NPY_MAX_RANK);
        /* 2^48 elements cannot be in a file; the bound keeps every product below within int64. */
        if (dim > INT64_C(1) << 48 || (dim > 0 && npy->count > (INT64_C(1) << 48) / dim))
            return br_fail(BR_ERROR_FORMAT, "%s: npy shape %.60s is too large", path, text);
        npy->shape[npy->rank++] = dim;
        npy->count *= dim;
        at = end + strspn(end, " ");
        if (*at == ',')
            at++;
        else if (*at != ')')
            return br_fail(BR_ERROR_FORMAT, "%s: npy header has a malformed shape %.60s", path, text);
    }
}

static br_status parse_header(const char *path, const br_file_map *map, br_npy *npy, element *out_element, size_t *out_offset)
{
    if (map->size < 10 || memcmp(map->data, MAGIC, sizeof MAGIC) != 0)
        return br_fail(BR_ERROR_FORMAT, "%s: not a .npy file", path);
    int version = map->data[6];
    if (version < 1 || version > 3)
        return br_fail(BR_ERROR_FORMAT, "%s: npy version %d, expected 1 to 3", path, version);
    size_t start = version == 1 ? 10 : 12;
    size_t length = (size_t)map->data[8] | (size_t)map->data[9] << 8;
    if (version > 1 && map->size >= start)
        length |= (size_t)map->data[10] << 16 | (size_t)map->data[11] << 24;
    if (map->size < start || length > map->size - start || length > HEADER_MAX)
        return br_fail(BR_ERROR_FORMAT, "%s: npy header of %zu bytes does not fit", path, length);
    char header[HEADER_MAX + 1];
    memcpy(header, map->data + start, length);
    header[length] = 0;

    const char *descr = find_value(header, "descr"), *order = find_value(header, "fortran_order");
    int kind = 0;
    bool quoted = descr && *descr == '\'';
    while (quoted && kind < ELEMENT_COUNT && (strncmp(descr + 1, ELEMENTS[kind].descr, 3) != 0 || descr[4] != '\''))
        kind++;
    if (!quoted || kind == ELEMENT_COUNT)
        return br_fail(BR_ERROR_FORMAT, "%s: npy elements are %.7s, expected '<f2', '<f4', '<f8', '<i4' or '<i8'", path,
                       descr ? descr : "missing");
    BR_TRY(parse_shape(path, find_value(header, "shape"), npy));
    if (!order || (strncmp(order, "False", 5) != 0 && (strncmp(order, "True", 4) != 0 || npy->rank > 1)))
        return br_fail(BR_ERROR_FORMAT, "%s: npy array is not in C order", path);
    *out_element = (element)kind;
    *out_offset = start + length;
    npy->type = ELEMENTS[kind].type;
    return NULL;
}

static br_status convert(const char *path, element kind, const uint8_t *source, br_npy *npy)
{
    float *f = npy->data;
    int32_t *n = npy->data;
    for (int64_t i = 0; i < npy->count; i++) {
        if (kind == ELEMENT_F2) {
            uint16_t half;
            memcpy(&half, source + i * 2, 2);
            f[i] = br_f32_from_f16(half);
        } else if (kind == ELEMENT_F8) {
            double wide;
            memcpy(&wide, source + i * 8, 8);
            f[i] = (float)wide;
        } else {
            int64_t wide;
            memcpy(&wide, source + i * 8, 8);
            if (wide < INT32_MIN || wide > INT32_MAX)
                return br_fail(BR_ERROR_FORMAT, "%s: element %" PRId64 " is %" PRId64 ", which does not fit in 32 bits", path, i,
                               wide);
            n[i] = (int32_t)wide;
        }
    }
    return NULL;
}

br_status br_npy_read(const char *path, br_npy *out_npy)
{
    *out_npy = (br_npy){0};
    br_npy npy = {0};
    br_file_map map;
    element kind;
    size_t offset, bytes;
    BR_TRY(br_file_map_init(path, &map));
    br_status status = parse_header(path, &map, &npy, &kind, &offset);
    if (status)
        goto fail;
    bytes = (size_t)npy.count * ELEMENTS[kind].size;
    if (map.size - offset != bytes)
        BR_FAIL_GOTO(BR_ERROR_FORMAT, "%s: %zu bytes of npy data, expected %zu", path, map.size - offset, bytes);
    npy.data = malloc(npy.count ? (size_t)npy.count * 4 : 1);
    if (!npy.data)
        BR_FAIL_GOTO(BR_ERROR_OUT_OF_HOST_MEMORY, "%s: out of host memory for %" PRId64 " elements", path, npy.count);
    if (kind != ELEMENT_F4 && kind != ELEMENT_I4)
        BR_TRY_GOTO(convert(path, kind, map.data + offset, &npy));
    else if (bytes)
        memcpy(npy.data, map.data + offset, bytes);
    br_file_map_finish(&map);
    *out_npy = npy;
    return NULL;
fail:
    br_file_map_finish(&map);
    free(npy.data);
    return status;
}

void br_npy_finish(br_npy *npy)
{
    free(npy->data);
    *npy = (br_npy){0};
}

br_status br_npy_write(const char *path, br_npy_type type, const int64_t *shape, int rank, const void *data)
{
    if (rank < 0 || rank > BR_NPY_MAX_RANK)
        return br_fail(BR_ERROR_ARGUMENT, "%s: npy rank %d, expected 0 to %d", path, rank, BR_NPY_MAX_RANK);
    char header[512];
    size_t count = 1;
    int at =
        snprintf(header, sizeof header, "{'descr': '%s', 'fortran_order': False, 'shape': (", type == BR_NPY_F32 ? "<f4" : "<i4");
    for (int i = 0; i < rank; i++) {
        if (shape[i] < 0 || (shape[i] > 0 && count > (size_t)(INT64_C(1) << 48) / (size_t)shape[i]))
            return br_fail(BR_ERROR_ARGUMENT, "%s: npy dimension %d is %" PRId64, path, i, shape[i]);
        count *= (size_t)shape[i];
        at += snprintf(header + at, sizeof header - (size_t)at,
                       rank == 1 ? "%" PRId64 ","
                       : i       ? ", %" PRId64
                                 : "%" PRId64,
                       shape[i]);
    }
    at += snprintf(header + at, sizeof header - (size_t)at, "), }");
    while ((10 + at + 1) % ALIGNMENT != 0)
        header[at++] = ' ';
    header[at++] = '\n';
    const uint8_t prefix[4] = {1, 0, (uint8_t)(at & 0xff), (uint8_t)(at >> 8)};

    br_file_writer writer;
    BR_TRY(br_file_writer_begin(path, &writer));
    /* Errors stick to the stream; commit reports them. */
    fwrite(MAGIC, 1, sizeof MAGIC, writer.stream);
    fwrite(prefix, 1, sizeof prefix, writer.stream);
    fwrite(header, 1, (size_t)at, writer.stream);
    if (count)
        fwrite(data, 4, count, writer.stream);
    return br_file_writer_commit(&writer);
}
