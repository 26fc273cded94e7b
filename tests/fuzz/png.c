/* Any bytes to br_png_decode and br_png_decode_text. Checksums are mended first: a mutated file would hardly ever get past them. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "image/png.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint32_t big_endian(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static void mend_checksums(uint8_t *data, size_t size)
{
    for (size_t at = 8; at < size && size - at >= 12;) {
        size_t length = big_endian(data + at);
        if (length > size - at - 12)
            return;
        uLong sum = crc32(0, data + at + 4, (uInt)length + 4);
        for (int i = 0; i < 4; i++)
            data[at + 8 + length + (size_t)i] = (uint8_t)(sum >> (24 - 8 * i));
        at += length + 12;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* Time and memory grow with the pixels; past a mebipixel there is nothing new to find. */
    if (size >= 24 && (uint64_t)big_endian(data + 16) * big_endian(data + 20) > 1 << 20)
        return 0;
    uint8_t *mended = malloc(size ? size : 1);
    if (!mended)
        return 0;
    if (size)
        memcpy(mended, data, size);
    mend_checksums(mended, size);
    br_png_bytes bytes = {mended, size, "input"};
    br_image image;
    br_status_free(br_png_decode(&bytes, &image));
    br_image_finish(&image);
    char *text;
    br_status_free(br_png_decode_text(&bytes, BR_PNG_PARAMETERS, &text));
    free(text);
    free(mended);
    return 0;
}
