#include "weights/zip.h"

#include <stdlib.h>
#include <string.h>

/* Far above the storages of any checkpoint. */
#define MEMBERS_MAX ((uint64_t)1 << 20)
#define END_SIZE 22
#define COMMENT_MAX 65535
#define END64_SIZE 56
#define LOCATOR_SIZE 20
#define CENTRAL_SIZE 46
#define LOCAL_SIZE 30
#define ZIP64_EXTRA 1
#define NONE32 0xffffffffu

static uint64_t number(const uint8_t *bytes, int size)
{
    uint64_t value = 0;
    for (int i = 0; i < size; i++)
        value |= (uint64_t)bytes[i] << 8 * i;
    return value;
}

static bool has_signature(const uint8_t *bytes, char a, char b)
{
    return bytes[0] == 'P' && bytes[1] == 'K' && bytes[2] == a && bytes[3] == b;
}

/* Where the directory is. */
typedef struct central {
    uint64_t count, size, offset;
} central;

static br_status find_end(const uint8_t *bytes, size_t size, const char *file, size_t *out_at)
{
    size_t stop = size > END_SIZE + COMMENT_MAX ? size - END_SIZE - COMMENT_MAX : 0;
    if (size >= END_SIZE)
        for (size_t at = size - END_SIZE + 1; at-- > stop;)
            if (has_signature(bytes + at, 5, 6) && at + END_SIZE + number(bytes + at + 20, 2) == size) {
                *out_at = at;
                return NULL;
            }
    return br_fail(BR_ERROR_FORMAT, "%s: the ZIP archive has no end (truncated file?)", file);
}

static br_status find_central(const uint8_t *bytes, size_t size, const char *file, central *out_central)
{
    size_t end;
    BR_TRY(find_end(bytes, size, file, &end));
    *out_central = (central){number(bytes + end + 10, 2), number(bytes + end + 12, 4), number(bytes + end + 16, 4)};
    if (end >= LOCATOR_SIZE && has_signature(bytes + end - LOCATOR_SIZE, 6, 7)) {
        uint64_t at = number(bytes + end - LOCATOR_SIZE + 8, 8);
        if (at > size || size - at < END64_SIZE || !has_signature(bytes + at, 6, 6))
            return br_fail(BR_ERROR_FORMAT, "%s: the ZIP archive's zip64 record is not where it is said to be", file);
        *out_central = (central){number(bytes + at + 32, 8), number(bytes + at + 40, 8), number(bytes + at + 48, 8)};
    }
    if (out_central->offset > size || out_central->size > size - out_central->offset || out_central->count > MEMBERS_MAX ||
        out_central->count > out_central->size / CENTRAL_SIZE)
        return br_fail(BR_ERROR_FORMAT, "%s: the ZIP archive's directory does not fit into the file", file);
    return NULL;
}

/* One entry of the directory. */
typedef struct entry {
    uint64_t packed, size, offset;
    size_t name_size, extra_size;
    const uint8_t *name, *extra;
    int flags, method;
} entry;

/* Of the zip64 field only those numbers are there that did not fit, in this order. */
static br_status read_zip64(const char *file, entry *it)
{
    uint64_t *const wide[] = {&it->size, &it->packed, &it->offset};
    for (size_t at = 0; it->extra_size - at >= 4;) {
        size_t id = (size_t)number(it->extra + at, 2), length = (size_t)number(it->extra + at + 2, 2);
        at += 4;
        if (length > it->extra_size - at)
            break;
        const uint8_t *field = it->extra + at, *end = field + length;
        for (int i = 0; id == ZIP64_EXTRA && i < 3; i++)
            if (*wide[i] == NONE32) {
                if (end - field < 8)
                    return br_fail(BR_ERROR_FORMAT, "%s: a zip64 field of the archive is too short", file);
                *wide[i] = number(field, 8);
                field += 8;
            }
        at += length;
    }
    return NULL;
}

static br_status read_entry(const uint8_t *bytes, size_t room, const char *file, entry *out_entry, size_t *out_used)
{
    if (room < CENTRAL_SIZE || !has_signature(bytes, 1, 2))
        return br_fail(BR_ERROR_FORMAT, "%s: the ZIP archive's directory has something else in it", file);
    size_t name = (size_t)number(bytes + 28, 2), extra = (size_t)number(bytes + 30, 2), comment = (size_t)number(bytes + 32, 2);
    *out_used = CENTRAL_SIZE + name + extra + comment;
    if (*out_used > room)
        return br_fail(BR_ERROR_FORMAT, "%s: the ZIP archive's directory ends in the middle", file);
    *out_entry = (entry){.packed = number(bytes + 20, 4),
                         .size = number(bytes + 24, 4),
                         .offset = number(bytes + 42, 4),
                         .name = bytes + CENTRAL_SIZE,
                         .name_size = name,
                         .extra = bytes + CENTRAL_SIZE + name,
                         .extra_size = extra,
                         .flags = (int)number(bytes + 8, 2),
                         .method = (int)number(bytes + 10, 2)};
    return read_zip64(file, out_entry);
}

static br_status add_member(br_arena *arena, const uint8_t *bytes, size_t size, const char *file, const entry *it, br_zip *zip)
{
    char *name = br_arena_alloc(arena, it->name_size + 1);
    if (!name)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "%s: out of host memory", file);
    memcpy(name, it->name, it->name_size);
    if (it->name_size && name[it->name_size - 1] == '/')
        return NULL;
    if (it->flags & 1 || it->method != 0 || it->packed != it->size)
        return br_fail(BR_ERROR_UNSUPPORTED, "%s: member \"%.200s\" of the archive is %s, expected it stored as it is", file, name,
                       it->flags & 1 ? "encrypted" : "compressed");
    if (it->offset > size || size - it->offset < LOCAL_SIZE || !has_signature(bytes + it->offset, 3, 4))
        return br_fail(BR_ERROR_FORMAT, "%s: member \"%.200s\" of the archive is not where it is said to be", file, name);
    uint64_t head = LOCAL_SIZE + number(bytes + it->offset + 26, 2) + number(bytes + it->offset + 28, 2);
    uint64_t room = size - it->offset;
    if (head > room || it->size > room - head)
        return br_fail(BR_ERROR_FORMAT, "%s: member \"%.200s\" of the archive goes beyond its end (truncated file?)", file, name);
    zip->members[zip->count++] = (br_zip_member){.name = name, .data = bytes + it->offset + head, .size = (size_t)it->size};
    return NULL;
}

static int compare_members(const void *a, const void *b)
{
    return strcmp(((const br_zip_member *)a)->name, ((const br_zip_member *)b)->name);
}

br_status br_zip_init(br_arena *arena, const uint8_t *bytes, size_t size, const char *file, br_zip *out_zip)
{
    central directory;
    *out_zip = (br_zip){0};
    BR_TRY(find_central(bytes, size, file, &directory));
    out_zip->members = br_arena_alloc(arena, ((size_t)directory.count + 1) * sizeof *out_zip->members);
    if (!out_zip->members)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "%s: out of host memory", file);
    const uint8_t *at = bytes + directory.offset, *end = at + directory.size;
    for (uint64_t i = 0; i < directory.count; i++) {
        entry it;
        size_t used;
        BR_TRY(read_entry(at, (size_t)(end - at), file, &it, &used));
        BR_TRY(add_member(arena, bytes, size, file, &it, out_zip));
        at += used;
    }
    if (out_zip->count)
        qsort(out_zip->members, out_zip->count, sizeof *out_zip->members, compare_members);
    return NULL;
}

const br_zip_member *br_zip_find(const br_zip *zip, const char *name)
{
    const br_zip_member key = {.name = name};
    return zip->count ? bsearch(&key, zip->members, zip->count, sizeof key, compare_members) : NULL;
}
