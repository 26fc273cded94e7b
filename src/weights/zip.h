/* The directory of a ZIP archive that lies in memory (PKWARE APPNOTE 6.3.9, zip64 included). Members are found, not unpacked: only stored ones
 * are of use where they are mapped, which is how torch.save writes them. Everything is checked against the bytes that are there. */
#ifndef BR_WEIGHTS_ZIP_H
#define BR_WEIGHTS_ZIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"

typedef struct br_zip_member {
    const char *name; /* in the arena; as the archive spells it, cut at a NUL */
    const uint8_t *data;
    size_t size;
} br_zip_member;

typedef struct br_zip {
    br_zip_member *members; /* in the arena; sorted by name, folders left out */
    size_t count;
} br_zip;

/* `file` names the bytes in messages. Names and the list are in `arena`. Errors: BR_ERROR_FORMAT; BR_ERROR_UNSUPPORTED for members that are compressed or
 * encrypted. */
BR_MUST_CHECK br_status br_zip_init(br_arena *arena, const uint8_t *bytes, size_t size, const char *file, br_zip *out_zip);
/* NULL when there is none of this name. */
const br_zip_member *br_zip_find(const br_zip *zip, const char *name);

#endif
