/* Any bytes to br_ckpt_parse: as an archive, and as the pickle inside one that is otherwise right, which mutations of whole archives hardly ever reach.
 * Whatever is accepted is read to its last element. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/weights.h"
#include "weights/ckpt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Bytes of the storages "0" and "1" of the archive made around a pickle. */
#define STORAGE_BYTES 64

static size_t put(uint8_t *at, uint64_t value, int size)
{
    for (int i = 0; i < size; i++)
        at[i] = (uint8_t)(value >> 8 * i);
    return (size_t)size;
}

typedef struct archive {
    uint8_t *bytes, directory[512];
    size_t size, directory_size;
    int count;
} archive;

static void add(archive *zip, const char *name, const uint8_t *data, size_t size)
{
    size_t length = strlen(name), begin = zip->size;
    uint8_t *local = zip->bytes + zip->size, *entry = zip->directory + zip->directory_size;
    memset(local, 0, 30);
    memcpy(local, "PK\3\4", 4);
    put(local + 26, length, 2);
    memcpy(local + 30, name, length);
    if (size)
        memcpy(local + 30 + length, data, size);
    zip->size += 30 + length + size;
    memset(entry, 0, 46);
    memcpy(entry, "PK\1\2", 4);
    put(entry + 20, size, 4);
    put(entry + 24, size, 4);
    put(entry + 28, length, 2);
    put(entry + 42, begin, 4);
    memcpy(entry + 46, name, length);
    zip->directory_size += 46 + length;
    zip->count++;
}

static void parse_pickle(const uint8_t *data, size_t size)
{
    static const uint8_t storage[STORAGE_BYTES];
    archive zip = {.bytes = malloc(size + 2 * STORAGE_BYTES + 1024)};
    if (!zip.bytes)
        return;
    add(&zip, "a/data.pkl", data, size);
    add(&zip, "a/data/0", storage, sizeof storage);
    add(&zip, "a/data/1", storage, sizeof storage);
    uint8_t *end = zip.bytes + zip.size + zip.directory_size;
    memcpy(zip.bytes + zip.size, zip.directory, zip.directory_size);
    memset(end, 0, 22);
    memcpy(end, "PK\5\6", 4);
    put(end + 8, (uint64_t)zip.count, 2);
    put(end + 10, (uint64_t)zip.count, 2);
    put(end + 12, zip.directory_size, 4);
    put(end + 16, zip.size, 4);
    fuzz_weights(br_ckpt_parse, zip.bytes, zip.size + zip.directory_size + 22);
    free(zip.bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_weights(br_ckpt_parse, data, size);
    parse_pickle(data, size);
    return 0;
}
