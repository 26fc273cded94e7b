/* br_image: the two conversions between bytes and floats, and the limits. */
#include "support/test.h"

#include <math.h>
#include <string.h>

#include "image/image.h"

static void limits_are_kept(void **state)
{
    (void)state;
    br_image image;
    memset(&image, 0x5a, sizeof image);
    assert_status(br_image_init(0, 13, &image), BR_ERROR_ARGUMENT, "0 x 13");
    assert_null(image.pixels);
    assert_status(br_image_init(13, -1, &image), BR_ERROR_ARGUMENT, "13 x -1");
    assert_status(br_image_init(BR_IMAGE_MAX_SIDE + 1, 1, &image), BR_ERROR_ARGUMENT, "too large");
    assert_status(br_image_init(BR_IMAGE_MAX_SIDE, BR_IMAGE_MAX_SIDE, &image), BR_ERROR_ARGUMENT, "too large");
    br_image_finish(&image);
    assert_status_ok(br_image_init(89, 13, &image));
    assert_int_equal(br_image_size(&image), 89 * 13 * 3);
    assert_ptr_equal(br_image_at(&image, 88, 12) + 3, image.pixels + br_image_size(&image));
    br_image_finish(&image);
    assert_null(image.pixels);
}

static void floats_round_half_to_even_and_clamp(void **state)
{
    (void)state;
    /* Both k + 1/2 below are exact after the product: 0.1 * 255 = 25.5 in float, and 0.5 * 255 = 127.5. */
    const float data[3 * 2] = {0.1f, 0.5f, -0.25f, 1.75f, 0.0f, 1.0f};
    assert_true(0.1f * 255.0f == 25.5f);
    const uint8_t expected[2 * 3] = {26, 0, 0, 128, 255, 255};
    br_image image;
    assert_status_ok(br_image_from_planes(&(br_image_planes){data, 2, 1}, &image));
    assert_memory_equal(image.pixels, expected, sizeof expected);
    br_image_finish(&image);
    /* 0.3 * 255 = 76.5 in float: even is downwards here. */
    const float down[3] = {0.3f, 0.7f, 0.9f};
    assert_true(down[0] * 255.0f == 76.5f);
    assert_status_ok(br_image_from_planes(&(br_image_planes){down, 1, 1}, &image));
    assert_int_equal(image.pixels[0], 76);
    br_image_finish(&image);
}

static void every_byte_survives_both_ways(void **state)
{
    (void)state;
    br_image image, back;
    assert_status_ok(br_image_init(89, 13, &image));
    for (size_t i = 0; i < br_image_size(&image); i++)
        image.pixels[i] = (uint8_t)(i * 31 + i / 256);
    static float planes[89 * 13 * 3];
    br_image_to_planes(&image, planes);
    assert_true(planes[5] == 2.0f * ((float)image.pixels[15] / 255.0f) - 1.0f);
    assert_true(planes[89 * 13 * 2 + 5] == 2.0f * ((float)image.pixels[17] / 255.0f) - 1.0f);
    for (size_t i = 0; i < sizeof planes / sizeof *planes; i++)
        planes[i] = planes[i] / 2 + 0.5f;
    assert_status_ok(br_image_from_planes(&(br_image_planes){planes, 89, 13}, &back));
    assert_memory_equal(back.pixels, image.pixels, br_image_size(&image));
    br_image_finish(&back);
    br_image_finish(&image);
}

static void a_broken_picture_is_reported(void **state)
{
    (void)state;
    float data[3 * 13];
    memset(data, 0, sizeof data);
    data[4] = NAN;
    data[38] = -INFINITY;
    br_image image;
    assert_status(br_image_from_planes(&(br_image_planes){data, 13, 1}, &image), BR_ERROR_FORMAT, "2 of its 39 values");
    assert_null(image.pixels);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits_are_kept),
        cmocka_unit_test(floats_round_half_to_even_and_clamp),
        cmocka_unit_test(every_byte_survives_both_ways),
        cmocka_unit_test(a_broken_picture_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
