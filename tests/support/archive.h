/* ZIP archives in memory, as torch.save lays them out, for tests and fuzzers of those who read them. */
#ifndef BR_TEST_ARCHIVE_H
#define BR_TEST_ARCHIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define BR_TEST_ARCHIVE_DIRECTORY 1024

typedef struct br_test_archive {
    uint8_t *bytes; /* the caller's: the members, and BR_TEST_ARCHIVE_ROOM for each and for the end */
    size_t size;
    uint8_t directory[BR_TEST_ARCHIVE_DIRECTORY];
    size_t directory_size;
    int count;
} br_test_archive;
#define BR_TEST_ARCHIVE_ROOM 256

typedef struct br_test_member {
    const char *name;
    const void *data;
    size_t size;
    int flags, method;
    size_t claimed; /* size that the directory says; 0: the true one */
    bool zip64;     /* sizes in an extra field */
} br_test_member;

static inline void br_test_put(uint8_t *at, uint64_t value, int size)
{
    for (int i = 0; i < size; i++)
        at[i] = (uint8_t)(value >> 8 * i);
}

static inline void br_test_archive_add(br_test_archive *zip, const br_test_member *member)
{
    size_t length = strlen(member->name), extra = member->zip64 ? 20 : 0,
           claimed = member->claimed ? member->claimed : member->size;
    uint8_t *local = zip->bytes + zip->size, *entry = zip->directory + zip->directory_size;
    memset(local, 0, 30);
    memcpy(local, "PK\3\4", 4);
    br_test_put(local + 26, length, 2);
    memcpy(local + 30, member->name, length);
    if (member->size)
        memcpy(local + 30 + length, member->data, member->size);
    memset(entry, 0, 46);
    memcpy(entry, "PK\1\2", 4);
    br_test_put(entry + 8, (uint64_t)member->flags, 2);
    br_test_put(entry + 10, (uint64_t)member->method, 2);
    br_test_put(entry + 20, member->zip64 ? UINT32_MAX : claimed, 4);
    br_test_put(entry + 24, member->zip64 ? UINT32_MAX : claimed, 4);
    br_test_put(entry + 28, length, 2);
    br_test_put(entry + 30, extra, 2);
    br_test_put(entry + 42, zip->size, 4);
    memcpy(entry + 46, member->name, length);
    if (extra) {
        br_test_put(entry + 46 + length, 1, 2);
        br_test_put(entry + 48 + length, 16, 2);
        br_test_put(entry + 50 + length, claimed, 8);
        br_test_put(entry + 58 + length, claimed, 8);
    }
    zip->size += 30 + length + member->size;
    zip->directory_size += 46 + length + extra;
    zip->count++;
}

/* The directory and the end behind the members. */
static inline void br_test_archive_end(br_test_archive *zip)
{
    uint8_t *end = zip->bytes + zip->size + zip->directory_size;
    memcpy(zip->bytes + zip->size, zip->directory, zip->directory_size);
    memset(end, 0, 22);
    memcpy(end, "PK\5\6", 4);
    br_test_put(end + 8, (uint64_t)zip->count, 2);
    br_test_put(end + 10, (uint64_t)zip->count, 2);
    br_test_put(end + 12, zip->directory_size, 4);
    br_test_put(end + 16, zip->size, 4);
    zip->size += zip->directory_size + 22;
}

#endif
