/* PNG reading and writing. The files of tests/data/image are from tools/reference/image_fixtures.py. */
#include "support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/file.h"
#include "image/png.h"

#define OUTPUT BRUME_BINARY_DIR "/test_png.png"

/* A PNG being put together by hand. */
typedef struct builder {
    uint8_t data[4096];
    size_t size;
} builder;

static void put32(uint8_t *out, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        out[i] = (uint8_t)(value >> (24 - 8 * i));
}

static void add_chunk(builder *png, const char *kind, const void *data, size_t size)
{
    if (png->size == 0) {
        memcpy(png->data, "\x89PNG\r\n\x1a\n", 8);
        png->size = 8;
    }
    uint8_t *out = png->data + png->size;
    assert_true(png->size + size + 12 <= sizeof png->data);
    put32(out, (uint32_t)size);
    memcpy(out + 4, kind, 4);
    if (size)
        memcpy(out + 8, data, size);
    put32(out + 8 + size, (uint32_t)crc32(0, out + 4, (uInt)size + 4));
    png->size += size + 12;
}

static void add_header(builder *png, uint32_t width, uint32_t height)
{
    uint8_t header[13] = {0, 0, 0, 0, 0, 0, 0, 0, 8, 2, 0, 0, 0};
    put32(header, width);
    put32(header + 4, height);
    add_chunk(png, "IHDR", header, sizeof header);
}

static void add_pixels(builder *png, size_t size)
{
    uint8_t raw[1024] = {0}, packed[1200];
    uLongf packed_size = sizeof packed;
    assert_int_equal(compress(packed, &packed_size, raw, (uLong)size), Z_OK);
    add_chunk(png, "IDAT", packed, packed_size);
}

static void expect_damaged(const builder *png, br_code code, const char *text)
{
    br_image image;
    memset(&image, 0x5a, sizeof image);
    assert_status(br_png_decode(&(br_png_bytes){png->data, png->size, "x.png"}, &image), code, text);
    assert_null(image.pixels);
}

static void every_kind_is_read(void **state)
{
    (void)state;
    static const char *const names[] = {"rgb8",     "rgba8", "gray8", "gray_alpha8",     "palette8",
                                        "palette2", "gray1", "rgb16", "rgba8_interlaced"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[128];
        char *expected;
        size_t size;
        br_image image;
        snprintf(path, sizeof path, "tests/data/image/%s.rgb", names[i]);
        assert_status_ok(br_file_read(br_test_path(path), 4096, &expected, &size));
        snprintf(path, sizeof path, "tests/data/image/%s.png", names[i]);
        assert_status_ok(br_png_read(br_test_path(path), &image));
        assert_int_equal(image.width, 13);
        assert_int_equal(image.height, 7);
        assert_int_equal(size, br_image_size(&image));
        if (memcmp(image.pixels, expected, size) != 0)
            fail_msg("%s differs", path);
        br_image_finish(&image);
        free(expected);
    }
}

static void what_is_written_is_read_back(void **state)
{
    (void)state;
    const br_png_text items[] = {
        {BR_PNG_PARAMETERS, "a fox\nNegative prompt: \nSteps: 20, Seed: 7"},
        {"Title", "caf\xc3\xa9 \xc3\xbf"},
        {"Comment", "\xe8\xb5\xa4\xe3\x81\x84 \xf0\x9f\x8d\x8e"},
        {"Empty", ""},
    };
    br_image image, back;
    assert_status_ok(br_image_init(113, 89, &image));
    for (size_t i = 0; i < br_image_size(&image); i++)
        image.pixels[i] = (uint8_t)(i * i >> 7);
    assert_status_ok(br_png_write(OUTPUT, &image, &(br_png_texts){items, 4}));
    assert_status_ok(br_png_read(OUTPUT, &back));
    assert_int_equal(back.width, 113);
    assert_int_equal(back.height, 89);
    assert_memory_equal(back.pixels, image.pixels, br_image_size(&image));
    for (size_t i = 0; i < 4; i++) {
        char *text;
        assert_status_ok(br_png_read_text(OUTPUT, items[i].keyword, &text));
        assert_non_null(text);
        assert_string_equal(text, items[i].text);
        free(text);
    }
    char *text = OUTPUT;
    assert_status_ok(br_png_read_text(OUTPUT, "Software", &text));
    assert_null(text);

    /* Latin-1 goes to tEXt, one byte a letter; everything else to iTXt. */
    char *bytes;
    size_t size;
    assert_status_ok(br_file_read(OUTPUT, 1 << 20, &bytes, &size));
    assert_non_null(memmem(bytes, size, "tEXtparameters\0a fox", 20));
    assert_non_null(memmem(bytes, size, "tEXtTitle\0caf\xe9 \xff", 16));
    assert_non_null(memmem(bytes, size, "iTXtComment\0\0\0\0\0\xe8\xb5\xa4", 19));
    free(bytes);
    br_image_finish(&back);
    br_image_finish(&image);
    remove(OUTPUT);
}

static void texts_of_other_tools_are_read(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"tests/data/image/text_latin1.png", "a caf\xc3\xa9 on the Champs-\xc3\x89lys\xc3\xa9"
                                             "es\nSteps: 20"},
        {"tests/data/image/text_utf8.png",
         "\xe8\xb5\xa4\xe3\x81\x84\xe3\x83\xaa\xe3\x83\xb3\xe3\x82\xb4 \xf0\x9f\x8d\x8e \xe2\x80\x93 \xce\xb1\nSteps: 20"},
        {"tests/data/image/text_late.png", "late \xc3\xa9"},
    };
    for (size_t i = 0; i < 3; i++) {
        char *text;
        assert_status_ok(br_png_read_text(br_test_path(cases[i][0]), BR_PNG_PARAMETERS, &text));
        assert_non_null(text);
        assert_string_equal(text, cases[i][1]);
        free(text);
    }
}

static void bad_texts_and_places_are_refused(void **state)
{
    (void)state;
    br_image image;
    assert_status_ok(br_image_init(1, 1, &image));
    static const char *const invalid[] = {"\xff", "\xc3", "\xc0\xaf", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80"};
    for (size_t i = 0; i < sizeof invalid / sizeof *invalid; i++) {
        br_png_text bad = {"parameters", invalid[i]};
        assert_status(br_png_write(OUTPUT, &image, &(br_png_texts){&bad, 1}), BR_ERROR_ARGUMENT, "not valid UTF-8");
    }
    br_png_text keyword = {" x", "text"};
    assert_status(br_png_write(OUTPUT, &image, &(br_png_texts){&keyword, 1}), BR_ERROR_ARGUMENT, "keyword");
    assert_false(br_file_exists(OUTPUT));
    assert_status(br_png_write(BRUME_BINARY_DIR "/no/such/folder/x.png", &image, NULL), BR_ERROR_IO, "no/such/folder");
    br_image_finish(&image);
    assert_status(br_png_read(BRUME_BINARY_DIR "/no_such.png", &image), BR_ERROR_NOT_FOUND, "no_such.png");
}

static void every_truncation_is_an_error(void **state)
{
    (void)state;
    char *bytes;
    size_t size;
    assert_status_ok(br_file_read(br_test_path("tests/data/image/rgba8_interlaced.png"), 4096, &bytes, &size));
    for (size_t cut = 0; cut < size; cut++) {
        /* An allocation of exactly this size, so that AddressSanitizer sees a read past the end. */
        uint8_t *part = malloc(cut ? cut : 1);
        memcpy(part, bytes, cut);
        br_image image;
        char *text;
        assert_status(br_png_decode(&(br_png_bytes){part, cut, "x.png"}, &image), BR_ERROR_FORMAT, "x.png: ");
        assert_null(image.pixels);
        assert_status(br_png_decode_text(&(br_png_bytes){part, cut, "x.png"}, "none", &text), BR_ERROR_FORMAT, "x.png: ");
        free(part);
    }
    free(bytes);
}

static void every_flipped_bit_is_an_error_or_a_picture(void **state)
{
    (void)state;
    char *bytes;
    size_t size, refused = 0;
    assert_status_ok(br_file_read(br_test_path("tests/data/image/palette2.png"), 4096, &bytes, &size));
    for (size_t bit = 0; bit < size * 8; bit++) {
        bytes[bit / 8] ^= (char)(1 << bit % 8);
        br_image image;
        br_status status = br_png_decode(&(br_png_bytes){bytes, size, "x.png"}, &image);
        refused += status != NULL;
        br_status_free(status);
        br_image_finish(&image);
        bytes[bit / 8] ^= (char)(1 << bit % 8);
    }
    /* Only the ancillary tRNS chunk may be dropped without an error. */
    assert_true(refused >= size * 8 - (12 + 4) * 8);
    free(bytes);
}

static void hostile_headers_are_refused(void **state)
{
    (void)state;
    static builder png;
    png = (builder){0};
    expect_damaged(&png, BR_ERROR_FORMAT, "not a PNG");
    add_header(&png, 0, 7);
    expect_damaged(&png, BR_ERROR_FORMAT, "0 x 7");
    png = (builder){0};
    add_header(&png, 4294967295u, 4294967295u);
    expect_damaged(&png, BR_ERROR_UNSUPPORTED, "4294967295 x 4294967295 pixels are too many");
    png = (builder){0};
    add_header(&png, 32768, 32768);
    expect_damaged(&png, BR_ERROR_UNSUPPORTED, "too many");
    png = (builder){0};
    add_chunk(&png, "IDAT", "0123456789abc", 13);
    expect_damaged(&png, BR_ERROR_FORMAT, "begin with a header");
    png = (builder){0};
    add_header(&png, 3, 3);
    png.data[24] = 5; /* depth */
    expect_damaged(&png, BR_ERROR_FORMAT, "CRC");
    /* Pixels for one row of three. */
    png = (builder){0};
    add_header(&png, 3, 3);
    add_pixels(&png, 10);
    add_chunk(&png, "IEND", "", 0);
    expect_damaged(&png, BR_ERROR_FORMAT, "damaged PNG");
    /* No pixels at all. */
    png = (builder){0};
    add_header(&png, 3, 3);
    add_chunk(&png, "IEND", "", 0);
    expect_damaged(&png, BR_ERROR_FORMAT, "damaged PNG");
    /* The builder itself makes good files. */
    png = (builder){0};
    add_header(&png, 3, 3);
    add_pixels(&png, 30);
    add_chunk(&png, "IEND", "", 0);
    br_image image;
    assert_status_ok(br_png_decode(&(br_png_bytes){png.data, png.size, "x.png"}, &image));
    br_image_finish(&image);
}

static void a_text_bomb_is_not_unpacked(void **state)
{
    (void)state;
    /* 64 MiB of one letter in some 64 KiB: far above what a text chunk may unpack to. */
    size_t size = (size_t)64 << 20;
    char *letters = malloc(size);
    uLongf packed_size = compressBound((uLong)size);
    uint8_t *chunk = malloc(packed_size + 12);
    memset(letters, 'a', size);
    memcpy(chunk, "parameters\0\0", 12);
    assert_int_equal(compress(chunk + 12, &packed_size, (uint8_t *)letters, (uLong)size), Z_OK);
    static builder start, end;
    add_header(&start, 3, 3);
    add_pixels(&end, 30);
    add_chunk(&end, "IEND", "", 0);
    size_t chunk_size = packed_size + 12, total = start.size + chunk_size + 12 + end.size - 8;
    uint8_t *png = malloc(total), *at = png + start.size;
    memcpy(png, start.data, start.size);
    put32(at, (uint32_t)chunk_size);
    memcpy(at + 4, "zTXt", 4);
    memcpy(at + 8, chunk, chunk_size);
    put32(at + 8 + chunk_size, (uint32_t)crc32(0, at + 4, (uInt)chunk_size + 4));
    memcpy(at + 12 + chunk_size, end.data + 8, end.size - 8);
    /* libpng drops the chunk with a warning; the picture is good. */
    char *text = letters;
    br_image image;
    assert_status_ok(br_png_decode_text(&(br_png_bytes){png, total, "x.png"}, "parameters", &text));
    assert_null(text);
    assert_status_ok(br_png_decode(&(br_png_bytes){png, total, "x.png"}, &image));
    br_image_finish(&image);
    free(png);
    free(chunk);
    free(letters);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_is_read),
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(texts_of_other_tools_are_read),
        cmocka_unit_test(bad_texts_and_places_are_refused),
        cmocka_unit_test(every_truncation_is_an_error),
        cmocka_unit_test(every_flipped_bit_is_an_error_or_a_picture),
        cmocka_unit_test(hostile_headers_are_refused),
        cmocka_unit_test(a_text_bomb_is_not_unpacked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
