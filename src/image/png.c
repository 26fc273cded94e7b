#include "image/png.h"

#include <errno.h>
#include <png.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "image/utf8.h"

/* The pixels of the largest picture at 16 bits with alpha: no sensible PNG is larger. */
#define FILE_MAX (BR_IMAGE_MAX_PIXELS * 8)
/* Ancillary chunks: far above what tools write (a workflow in a text chunk is some 100 KiB), far below what hurts. */
#define CHUNK_COUNT_MAX 256
#define CHUNK_BYTES_MAX ((png_alloc_size_t)16 << 20)

/* Everything that must survive a longjmp lives here, outside the frame that called setjmp. */
typedef struct png_reader {
    png_structp png;
    png_infop info;
    const uint8_t *data;
    size_t size, offset;
    char message[128];
    int width, height;
    uint8_t *pixels; /* owned, [H, W, 4], then [H, W, 3] in place */
    png_bytep *rows; /* owned, [H] into pixels */
} png_reader;

typedef struct png_writer {
    png_structp png;
    png_infop info;
    FILE *stream;
    char message[128];
    size_t text_count;
    png_text *texts; /* owned */
    char **latin1;   /* owned, with its strings; NULL where the text stays UTF-8 */
} png_writer;

static void on_read_error(png_structp png, png_const_charp message)
{
    png_reader *reader = png_get_error_ptr(png);
    snprintf(reader->message, sizeof reader->message, "%s", message);
    png_longjmp(png, 1);
}

static void on_write_error(png_structp png, png_const_charp message)
{
    png_writer *writer = png_get_error_ptr(png);
    if (!writer->message[0])
        snprintf(writer->message, sizeof writer->message, "%s", message);
    png_longjmp(png, 1);
}

/* Warnings concern chunks that are dropped (a profile, a date); the pixels are not touched by them. */
static void on_warning(png_structp png, png_const_charp message)
{
    (void)png;
    (void)message;
}

static void on_read(png_structp png, png_bytep out, size_t size)
{
    png_reader *reader = png_get_io_ptr(png);
    if (size > reader->size - reader->offset)
        png_error(png, "the file ends early");
    memcpy(out, reader->data + reader->offset, size);
    reader->offset += size;
}

static void on_write(png_structp png, png_bytep data, size_t size)
{
    png_writer *writer = png_get_io_ptr(png);
    if (fwrite(data, 1, size, writer->stream) != size) {
        snprintf(writer->message, sizeof writer->message, "%s", strerror(errno));
        png_error(png, "write");
    }
}

/* Committing the file flushes it. */
static void on_flush(png_structp png)
{
    (void)png;
}

static uint32_t big_endian(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* Signature and size, before libpng sees the file: all it says of these is "Invalid IHDR data". */
static br_status check_header(const br_png_bytes *bytes)
{
    static const uint8_t signature[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    const uint8_t *data = bytes->data;
    if (bytes->size < sizeof signature || memcmp(data, signature, sizeof signature) != 0)
        return br_fail(BR_ERROR_FORMAT, "%s: not a PNG file", bytes->name);
    if (bytes->size < 33)
        return br_fail(BR_ERROR_FORMAT, "%s: damaged PNG: the file ends early", bytes->name);
    if (big_endian(data + 8) != 13 || memcmp(data + 12, "IHDR", 4) != 0)
        return br_fail(BR_ERROR_FORMAT, "%s: damaged PNG: it does not begin with a header chunk", bytes->name);
    uint32_t width = big_endian(data + 16), height = big_endian(data + 20);
    if (width == 0 || height == 0)
        return br_fail(BR_ERROR_FORMAT, "%s: damaged PNG: its size is %u x %u pixels", bytes->name, width, height);
    if (width > BR_IMAGE_MAX_SIDE || height > BR_IMAGE_MAX_SIDE || (uint64_t)width * height > BR_IMAGE_MAX_PIXELS)
        return br_fail(BR_ERROR_UNSUPPORTED, "%s: %u x %u pixels are too many: at most %d on a side and %zu in all", bytes->name,
                       width, height, BR_IMAGE_MAX_SIDE, BR_IMAGE_MAX_PIXELS);
    return NULL;
}

static void reader_finish(png_reader *reader)
{
    if (reader->png)
        png_destroy_read_struct(&reader->png, &reader->info, NULL);
    free(reader->rows);
    free(reader->pixels);
    *reader = (png_reader){0};
}

static br_status reader_init(const br_png_bytes *bytes, png_reader *reader)
{
    *reader = (png_reader){.data = bytes->data, .size = bytes->size};
    BR_TRY(check_header(bytes));
    reader->png = png_create_read_struct(PNG_LIBPNG_VER_STRING, reader, on_read_error, on_warning);
    reader->info = reader->png ? png_create_info_struct(reader->png) : NULL;
    if (!reader->info) {
        reader_finish(reader);
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "%s: no memory to read it", bytes->name);
    }
    png_set_user_limits(reader->png, BR_IMAGE_MAX_SIDE, BR_IMAGE_MAX_SIDE);
    png_set_chunk_cache_max(reader->png, CHUNK_COUNT_MAX);
    png_set_chunk_malloc_max(reader->png, CHUNK_BYTES_MAX);
    png_set_read_fn(reader->png, reader, on_read);
    return NULL;
}

/* `rgb` may be `rgba`. */
static void rgba_on_white(const uint8_t *rgba, size_t count, uint8_t *rgb)
{
    for (size_t i = 0; i < count; i++) {
        unsigned alpha = rgba[4 * i + 3];
        for (size_t c = 0; c < 3; c++)
            rgb[3 * i + c] = (uint8_t)((rgba[4 * i + c] * alpha + 255 * (255 - alpha) + 127) / 255);
    }
}

/* False leaves the reason in reader->message. */
static bool read_pixels(png_reader *reader)
{
    if (setjmp(png_jmpbuf(reader->png)))
        return false;
    png_read_info(reader->png, reader->info);
    png_set_expand(reader->png);
    png_set_scale_16(reader->png);
    png_set_gray_to_rgb(reader->png);
    png_set_add_alpha(reader->png, 0xff, PNG_FILLER_AFTER);
    png_set_interlace_handling(reader->png);
    png_read_update_info(reader->png, reader->info);
    reader->width = (int)png_get_image_width(reader->png, reader->info);
    reader->height = (int)png_get_image_height(reader->png, reader->info);
    size_t stride = (size_t)reader->width * 4;
    if (png_get_rowbytes(reader->png, reader->info) != stride)
        png_error(reader->png, "its colours cannot be converted");
    reader->pixels = calloc((size_t)reader->height, stride);
    reader->rows = calloc((size_t)reader->height, sizeof *reader->rows);
    if (!reader->pixels || !reader->rows)
        png_error(reader->png, "no memory for its pixels");
    for (int y = 0; y < reader->height; y++)
        reader->rows[y] = reader->pixels + (size_t)y * stride;
    png_read_image(reader->png, reader->rows);
    png_read_end(reader->png, reader->info);
    return true;
}

br_status br_png_decode(const br_png_bytes *bytes, br_image *out_image)
{
    *out_image = (br_image){0};
    png_reader reader;
    BR_TRY(reader_init(bytes, &reader));
    br_status status = NULL;
    if (read_pixels(&reader)) {
        size_t count = (size_t)reader.width * (size_t)reader.height;
        rgba_on_white(reader.pixels, count, reader.pixels);
        uint8_t *shrunk = realloc(reader.pixels, count * BR_IMAGE_CHANNELS);
        *out_image = (br_image){reader.width, reader.height, shrunk ? shrunk : reader.pixels};
        reader.pixels = NULL;
    } else {
        status = br_fail(BR_ERROR_FORMAT, "%s: damaged PNG: %s", bytes->name, reader.message);
    }
    reader_finish(&reader);
    return status;
}

static const png_text *find_text(png_reader *reader, const char *keyword)
{
    png_textp texts = NULL;
    int count = png_get_text(reader->png, reader->info, &texts, NULL);
    for (int i = 0; i < count; i++)
        if (strcmp(texts[i].key, keyword) == 0)
            return &texts[i];
    return NULL;
}

br_status br_png_decode_text(const br_png_bytes *bytes, const char *keyword, char **out_text)
{
    *out_text = NULL;
    png_reader reader;
    BR_TRY(reader_init(bytes, &reader));
    br_status status = NULL;
    /* Text may stand after the pixels, and libpng cannot skip those. */
    if (!read_pixels(&reader))
        BR_FAIL_GOTO(BR_ERROR_FORMAT, "%s: damaged PNG: %s", bytes->name, reader.message);
    const png_text *found = find_text(&reader, keyword);
    if (found) {
        bool utf8 = found->compression == PNG_ITXT_COMPRESSION_NONE || found->compression == PNG_ITXT_COMPRESSION_zTXt;
        if (utf8 && !br_utf8_is_valid(found->text))
            BR_FAIL_GOTO(BR_ERROR_FORMAT, "%s: its text chunk \"%s\" is not valid UTF-8", bytes->name, keyword);
        *out_text = utf8 ? strdup(found->text) : br_utf8_from_latin1(found->text);
        if (!*out_text)
            BR_FAIL_GOTO(BR_ERROR_OUT_OF_HOST_MEMORY, "%s: no memory for its text", bytes->name);
    }
fail:
    reader_finish(&reader);
    return status;
}

br_status br_png_read(const char *path, br_image *out_image)
{
    *out_image = (br_image){0};
    char *data;
    size_t size;
    BR_TRY(br_file_read(path, FILE_MAX, &data, &size));
    br_status status = br_png_decode(&(br_png_bytes){data, size, path}, out_image);
    free(data);
    return status;
}

br_status br_png_read_text(const char *path, const char *keyword, char **out_text)
{
    *out_text = NULL;
    char *data;
    size_t size;
    BR_TRY(br_file_read(path, FILE_MAX, &data, &size));
    br_status status = br_png_decode_text(&(br_png_bytes){data, size, path}, keyword, out_text);
    free(data);
    return status;
}

static bool keyword_is_valid(const char *keyword)
{
    size_t length = strlen(keyword);
    if (length < 1 || length > 79 || keyword[0] == ' ' || keyword[length - 1] == ' ')
        return false;
    for (size_t i = 0; i < length; i++)
        if (keyword[i] < 0x20 || keyword[i] > 0x7e || (keyword[i] == ' ' && keyword[i + 1] == ' '))
            return false;
    return true;
}

static void writer_finish(png_writer *writer)
{
    if (writer->png)
        png_destroy_write_struct(&writer->png, &writer->info);
    for (size_t i = 0; i < writer->text_count; i++)
        free(writer->latin1[i]);
    free(writer->latin1);
    free(writer->texts);
    *writer = (png_writer){0};
}

static br_status writer_texts(png_writer *writer, const br_png_texts *texts)
{
    writer->texts = calloc(texts->count, sizeof *writer->texts);
    writer->latin1 = calloc(texts->count, sizeof *writer->latin1);
    if (!writer->texts || !writer->latin1)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "no memory for %zu PNG text chunks", texts->count);
    writer->text_count = texts->count;
    for (size_t i = 0; i < texts->count; i++) {
        const br_png_text *item = &texts->items[i];
        if (!keyword_is_valid(item->keyword))
            return br_fail(BR_ERROR_ARGUMENT, "the keyword of PNG text chunk %zu is not 1 to 79 printable ASCII characters", i);
        if (!br_utf8_is_valid(item->text))
            return br_fail(BR_ERROR_ARGUMENT, "the text for the PNG chunk \"%s\" is not valid UTF-8", item->keyword);
        bool latin1 = br_utf8_is_latin1(item->text);
        if (latin1 && !(writer->latin1[i] = br_utf8_to_latin1(item->text)))
            return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "no memory for the PNG chunk \"%s\"", item->keyword);
        /* libpng takes non-const pointers and copies what they point to. */
        writer->texts[i] = (png_text){
            .compression = latin1 ? PNG_TEXT_COMPRESSION_NONE : PNG_ITXT_COMPRESSION_NONE,
            .key = (char *)item->keyword,
            .text = latin1 ? writer->latin1[i] : (char *)item->text,
        };
    }
    return NULL;
}

/* False leaves the reason in writer->message. */
static bool write_pixels(png_writer *writer, const br_image *image)
{
    if (setjmp(png_jmpbuf(writer->png)))
        return false;
    png_set_write_fn(writer->png, writer, on_write, on_flush);
    png_set_user_limits(writer->png, BR_IMAGE_MAX_SIDE, BR_IMAGE_MAX_SIDE);
    png_set_IHDR(writer->png, writer->info, (png_uint_32)image->width, (png_uint_32)image->height, 8, PNG_COLOR_TYPE_RGB,
                 PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    if (writer->text_count)
        png_set_text(writer->png, writer->info, writer->texts, (int)writer->text_count);
    png_write_info(writer->png, writer->info);
    for (int y = 0; y < image->height; y++)
        png_write_row(writer->png, br_image_at(image, 0, y));
    png_write_end(writer->png, NULL);
    return true;
}

br_status br_png_write(const char *path, const br_image *image, const br_png_texts *texts)
{
    br_status status = NULL;
    br_file_writer file = {0};
    png_writer writer = {0};
    if (texts && texts->count > CHUNK_COUNT_MAX / 2)
        BR_FAIL_GOTO(BR_ERROR_ARGUMENT, "%s: %zu text chunks are too many", path, texts->count);
    if (texts && texts->count)
        BR_TRY_GOTO(writer_texts(&writer, texts));
    writer.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &writer, on_write_error, on_warning);
    writer.info = writer.png ? png_create_info_struct(writer.png) : NULL;
    if (!writer.info)
        BR_FAIL_GOTO(BR_ERROR_OUT_OF_HOST_MEMORY, "%s: no memory to write it", path);
    BR_TRY_GOTO(br_file_writer_begin(path, &file));
    writer.stream = file.stream;
    if (!write_pixels(&writer, image))
        BR_FAIL_GOTO(BR_ERROR_IO, "%s: cannot be written: %s", path, writer.message);
    status = br_file_writer_commit(&file);
    writer_finish(&writer);
    return status;
fail:
    br_file_writer_abort(&file);
    writer_finish(&writer);
    return status;
}
