/* Any bytes to br_ckpt_parse: as an archive, and as the pickle inside one that is otherwise right, which mutations of whole archives hardly ever reach.
 * Whatever is accepted is read to its last element. */
#include <stdint.h>
#include <stdlib.h>

#include "fuzz/weights.h"
#include "support/archive.h"
#include "weights/ckpt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Bytes of the storages "0" and "1" of the archive made around a pickle. */
#define STORAGE_BYTES 64

static void parse_pickle(const uint8_t *data, size_t size)
{
    static const uint8_t storage[STORAGE_BYTES];
    br_test_archive zip = {.bytes = malloc(size + 2 * STORAGE_BYTES + 4 * BR_TEST_ARCHIVE_ROOM)};
    if (!zip.bytes)
        return;
    br_test_archive_add(&zip, &(br_test_member){.name = "a/data.pkl", .data = data, .size = size});
    br_test_archive_add(&zip, &(br_test_member){.name = "a/data/0", .data = storage, .size = sizeof storage});
    br_test_archive_add(&zip, &(br_test_member){.name = "a/data/1", .data = storage, .size = sizeof storage});
    br_test_archive_end(&zip);
    fuzz_weights(br_ckpt_parse, zip.bytes, zip.size);
    free(zip.bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_weights(br_ckpt_parse, data, size);
    parse_pickle(data, size);
    return 0;
}
