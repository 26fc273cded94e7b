/* Tiles: every pixel is covered, weights sum to one, and what is the same in all tiles comes back as it was, whatever the size. */
#include <math.h>
#include <string.h>

#include "pipeline/tiles.h"
#include "support/test.h"

static const int sizes[] = {8, 13, 16, 17, 31, 64, 89, 113, 128};
static const int sides[] = {0, 8, 13, 16, 32, 64};
#define COUNT(list) (int)(sizeof(list) / sizeof(list)[0])

/* Far from linear, of both signs. */
static float value_at(int64_t i)
{
    return (float)sin(0.37 * (double)i) * (float)(1 + i % 11);
}

static void check(int height, int width, int side, int scale)
{
    enum { CHANNELS = 2 };
    br_tiles tiles = br_tiles_make(height, width, side);
    int64_t count = (int64_t)CHANNELS * height * width * scale * scale;
    int64_t tile_count = (int64_t)CHANNELS * tiles.tile_height * tiles.tile_width * scale * scale;
    float *whole = test_malloc((size_t)count * sizeof *whole), *back = test_calloc((size_t)count, sizeof *back);
    float *tile = test_malloc((size_t)tile_count * sizeof *tile);
    assert_true(tiles.tile_height <= height && tiles.tile_width <= width);
    assert_true(side == 0 || (tiles.tile_height <= side && tiles.tile_width <= side));
    for (int64_t i = 0; i < count; i++)
        whole[i] = value_at(i);
    for (int i = 0; i < tiles.rows * tiles.columns; i++) {
        int y, x;
        br_tiles_corner(&tiles, i, &y, &x);
        assert_true(y >= 0 && x >= 0 && y + tiles.tile_height <= height && x + tiles.tile_width <= width);
        for (int64_t k = 0; k < tile_count; k++)
            tile[k] = NAN;
        br_tile_planes planes = {&tiles, i, CHANNELS, scale};
        br_tiles_take(&planes, whole, tile);
        assert_status_ok(br_tiles_blend(&planes, tile, back));
    }
    for (int64_t i = 0; i < count; i++)
        if (!(fabsf(back[i] - whole[i]) <= 1e-5f * 11)) /* a few roundings of numbers up to 11 */
            fail_msg("%dx%d in tiles of %d, scale %d: pixel %lld is %g, expected %g", height, width, side, scale, (long long)i,
                     (double)back[i], (double)whole[i]);
    test_free(whole);
    test_free(back);
    test_free(tile);
}

static void test_all(void **state)
{
    (void)state;
    for (int h = 0; h < COUNT(sizes); h++)
        for (int w = 0; w < COUNT(sizes); w++)
            for (int s = 0; s < COUNT(sides); s++)
                check(sizes[h], sizes[w], sides[s], 1 + (h + w) % 3);
}

/* Seams are ramps: along a line through two tiles of ones and zeros the picture falls steadily from one to the other. */
static void test_ramp(void **state)
{
    (void)state;
    br_tiles tiles = br_tiles_make(8, 28, 16);
    float tile[8 * 16], whole[8 * 28] = {0};
    assert_int_equal(tiles.columns, 2);
    for (int i = 0; i < 2; i++) {
        for (int k = 0; k < 8 * 16; k++)
            tile[k] = i == 0;
        assert_status_ok(br_tiles_blend(&(br_tile_planes){&tiles, i, 1, 1}, tile, whole));
    }
    for (int x = 0; x < 28; x++) {
        float expected = x < 12 ? 1 : x >= 16 ? 0 : (float)(16 - x - 0.5) / 4;
        assert_true(fabsf(whole[3 * 28 + x] - expected) < 1e-6f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_all), cmocka_unit_test(test_ramp)};
    return cmocka_run_group_tests_name("tiles", tests, NULL, NULL);
}
