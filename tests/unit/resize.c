/* Resampling against Pillow (tools/reference/image_fixtures.py), and the sheet of pictures. */
#include "support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "image/grid.h"
#include "image/png.h"
#include "image/resize.h"

static void resize_is_pillows(void **state)
{
    (void)state;
    static const int sizes[4][2] = {{5, 3}, {31, 17}, {13, 2}, {1, 1}};
    static const char *const names[] = {[BR_RESIZE_LANCZOS] = "lanczos", [BR_RESIZE_BICUBIC] = "bicubic"};
    br_image image;
    assert_status_ok(br_png_read(br_test_path("tests/data/image/rgb8.png"), &image));
    for (int filter = BR_RESIZE_LANCZOS; filter <= BR_RESIZE_BICUBIC; filter++) {
        for (int i = 0; i < 4; i++) {
            br_image resized;
            char path[128], *expected;
            size_t size;
            assert_status_ok(br_image_resize(&image, &(br_resize_params){sizes[i][0], sizes[i][1], filter}, &resized));
            snprintf(path, sizeof path, "tests/data/image/resize_%s_%dx%d.rgb", names[filter], sizes[i][0], sizes[i][1]);
            assert_status_ok(br_file_read(br_test_path(path), 1 << 16, &expected, &size));
            assert_int_equal(size, br_image_size(&resized));
            if (memcmp(resized.pixels, expected, size) != 0)
                fail_msg("%s differs", path);
            free(expected);
            br_image_finish(&resized);
        }
    }
    br_image_finish(&image);
}

static void sizes_are_checked(void **state)
{
    (void)state;
    br_image image, other;
    assert_status_ok(br_image_init(89, 13, &image));
    assert_status(br_image_resize(&image, &(br_resize_params){0, 5, BR_RESIZE_LANCZOS}, &other), BR_ERROR_ARGUMENT, "0 x 5");
    assert_status(br_image_resize(&image, &(br_resize_params){5, 1 << 20, BR_RESIZE_LANCZOS}, &other), BR_ERROR_ARGUMENT,
                  "too large");
    assert_status(br_image_enlarge(&image, 0, &other), BR_ERROR_ARGUMENT, "0 times");
    assert_status(br_image_enlarge(&image, 1 << 30, &other), BR_ERROR_ARGUMENT, "enlarged");
    assert_null(other.pixels);
    br_image_finish(&image);
}

static void enlarging_repeats_pixels(void **state)
{
    (void)state;
    br_image image, large;
    assert_status_ok(br_png_read(br_test_path("tests/data/image/rgb8.png"), &image));
    assert_status_ok(br_image_enlarge(&image, 3, &large));
    assert_int_equal(large.width, 39);
    assert_int_equal(large.height, 21);
    for (int y = 0; y < 21; y++)
        for (int x = 0; x < 39; x++)
            assert_memory_equal(br_image_at(&large, x, y), br_image_at(&image, x / 3, y / 3), 3);
    br_image_finish(&large);
    br_image_finish(&image);
}

static void grid_shapes(void **state)
{
    (void)state;
    static const int expected[][3] = {{1, 1, 1}, {2, 1, 2}, {3, 2, 2},  {4, 2, 2}, {5, 2, 3},
                                      {6, 2, 3}, {7, 3, 3}, {12, 3, 4}, {13, 4, 4}};
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        int rows, columns;
        br_grid_shape(expected[i][0], &rows, &columns);
        assert_int_equal(rows, expected[i][1]);
        assert_int_equal(columns, expected[i][2]);
    }
}

static void grid_places_pictures(void **state)
{
    (void)state;
    br_image tiles[5], sheet;
    for (int i = 0; i < 5; i++) {
        assert_status_ok(br_image_init(13, 7, &tiles[i]));
        memset(tiles[i].pixels, 10 * (i + 1), br_image_size(&tiles[i]));
    }
    assert_status_ok(br_image_grid(&(br_grid_params){.images = tiles, .count = 5, .gap = 2}, &sheet));
    assert_int_equal(sheet.width, 3 * 13 + 2 * 2);
    assert_int_equal(sheet.height, 2 * 7 + 2);
    for (int y = 0; y < sheet.height; y++) {
        for (int x = 0; x < sheet.width; x++) {
            int column = x / 15, row = y / 9, index = row * 3 + column;
            bool gap = x % 15 >= 13 || y % 9 >= 7 || index >= 5;
            assert_int_equal(br_image_at(&sheet, x, y)[1], gap ? 255 : 10 * (index + 1));
        }
    }
    br_image_finish(&sheet);
    assert_status_ok(br_image_grid(&(br_grid_params){.images = tiles, .count = 5, .columns = 5}, &sheet));
    assert_int_equal(sheet.width, 65);
    assert_int_equal(sheet.height, 7);
    br_image_finish(&sheet);

    br_image_finish(&tiles[4]);
    assert_status_ok(br_image_init(13, 8, &tiles[4]));
    assert_status(br_image_grid(&(br_grid_params){.images = tiles, .count = 5}, &sheet), BR_ERROR_ARGUMENT, "picture 4");
    assert_status(br_image_grid(&(br_grid_params){.images = tiles, .count = 0}, &sheet), BR_ERROR_ARGUMENT, "0 pictures");
    assert_status(br_image_grid(&(br_grid_params){.images = tiles, .count = 2, .gap = 1 << 30}, &sheet), BR_ERROR_ARGUMENT,
                  "too large");
    for (int i = 0; i < 5; i++)
        br_image_finish(&tiles[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resize_is_pillows), cmocka_unit_test(sizes_are_checked),    cmocka_unit_test(enlarging_repeats_pixels),
        cmocka_unit_test(grid_shapes),       cmocka_unit_test(grid_places_pictures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
