/* PNG files: any of them to 8-bit RGB, and RGB with text chunks back. */
#ifndef BR_IMAGE_PNG_H
#define BR_IMAGE_PNG_H

#include "image/image.h"

/* The chunk in which AUTOMATIC1111 and the tools that read its pictures keep prompt, seed and settings. */
#define BR_PNG_PARAMETERS "parameters"

typedef struct br_png_text {
    const char *keyword; /* 1 to 79 printable ASCII characters, no space at either end */
    const char *text;    /* UTF-8 */
} br_png_text;

typedef struct br_png_texts {
    const br_png_text *items; /* borrowed */
    size_t count;
} br_png_texts;

/* A file that is wholly in memory. */
typedef struct br_png_bytes {
    const void *data; /* borrowed */
    size_t size;
    const char *name; /* what error messages call it: the path */
} br_png_bytes;

/* Every colour type, depth and interlacing becomes 8-bit RGB; what is transparent is laid on white. Gamma and colour profiles are
 * not applied. Errors: BR_ERROR_NOT_FOUND, BR_ERROR_IO, BR_ERROR_FORMAT for anything damaged, BR_ERROR_UNSUPPORTED for a picture
 * past the limits in image.h. On failure *out_image is zeroed. */
BR_MUST_CHECK br_status br_png_read(const char *path, br_image *out_image);
BR_MUST_CHECK br_status br_png_decode(const br_png_bytes *bytes, br_image *out_image);

/* The text of the first chunk with `keyword`, as UTF-8 in *out_text (free() it), or NULL there when there is none. */
BR_MUST_CHECK br_status br_png_read_text(const char *path, const char *keyword, char **out_text);
BR_MUST_CHECK br_status br_png_decode_text(const br_png_bytes *bytes, const char *keyword, char **out_text);

/* The file appears complete or not at all. A text becomes a tEXt chunk when it is Latin-1, else an iTXt chunk, as Pillow does it.
 * `texts` may be NULL. Errors: BR_ERROR_ARGUMENT for a bad keyword or invalid UTF-8, BR_ERROR_IO. */
BR_MUST_CHECK br_status br_png_write(const char *path, const br_image *image, const br_png_texts *texts);

#endif
