/* Pictures: 8-bit RGB in memory, PNG on disk. */
#ifndef BRUME_IMAGE_H
#define BRUME_IMAGE_H

#include <stdint.h>

#include "brume/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct br_image {
    int width, height;
    uint8_t *pixels; /* owned, [height, width, 3], rows top to bottom, no padding */
} br_image;

/* Releases the pixels; takes a zeroed picture. */
BR_API void br_image_finish(br_image *image);

/* Any PNG; transparency is laid on white. Errors: BR_ERROR_NOT_FOUND, BR_ERROR_IO, BR_ERROR_FORMAT, BR_ERROR_UNSUPPORTED.
 * On failure *out_image is zeroed. */
BR_API BR_MUST_CHECK br_status br_image_load(const char *path, br_image *out_image);

/* A PNG that appears complete or not at all. `parameters` (UTF-8, may be NULL) becomes the text chunk "parameters", which other tools read. */
BR_API BR_MUST_CHECK br_status br_image_save(const br_image *image, const char *path, const char *parameters);
/* Whether br_image_save could write there now: the folder exists and is writable, the name is no folder. Called before long work. */
BR_API BR_MUST_CHECK br_status br_image_check_path(const char *path);

/* `count` pictures of one size on one nearly square sheet, row by row. */
BR_API BR_MUST_CHECK br_status br_image_sheet(const br_image *images, int count, br_image *out_image);

#ifdef __cplusplus
}
#endif
#endif
