/* The canvas, its text, the plots and the strip of the forward process. */
#include "support/test.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "image/font.h"
#include "image/plot.h"
#include "image/strip.h"

static const br_color black = {0, 0, 0};
static const br_color white = {255, 255, 255};

static bool is_color(const br_image *image, int x, int y, br_color color)
{
    const uint8_t *pixel = br_image_at(image, x, y);
    return pixel[0] == color.r && pixel[1] == color.g && pixel[2] == color.b;
}

/* What is drawn, in pixels fully covered. */
static double ink_of(const br_canvas *canvas)
{
    double ink = 0;
    for (int y = 0; y < canvas->image.height; y++)
        for (int x = 0; x < canvas->image.width; x++)
            ink += (255 - br_image_at(&canvas->image, x, y)[0]) / 255.0;
    return ink;
}

static void stroke(br_canvas *canvas, const br_point *points, int count, double width)
{
    br_canvas_stroke(canvas, &(br_path){points, count}, (br_pen){black, width});
}

static void strokes_cover_what_they_should(void **state)
{
    (void)state;
    br_canvas canvas;
    assert_status_ok(br_canvas_init(113, 89, white, &canvas));
    stroke(&canvas, (br_point[]){{10, 20}, {90, 20}}, 2, 4);
    for (int y = 15; y < 25; y++)
        assert_true(is_color(&canvas.image, 50, y, y >= 18 && y < 22 ? black : white));
    /* 80 x 4 and a half disc of radius 2 at either end; antialiasing of round ends is good to a tenth of a pixel each. */
    assert_true(fabs(ink_of(&canvas) - (80 * 4 + 4 * 3.14159)) < 0.4);

    br_canvas_fill(&canvas, (br_rect){0, 0, 113, 89}, white);
    stroke(&canvas, (br_point[]){{56.3, 44.7}}, 1, 31);
    assert_true(fabs(ink_of(&canvas) - 3.14159 * 15.5 * 15.5) < 3);

    /* A join is no darker than the line, and a line drawn back over itself no thicker. */
    br_canvas_fill(&canvas, (br_rect){0, 0, 113, 89}, white);
    stroke(&canvas, (br_point[]){{10.2, 10.7}, {80.9, 71.3}}, 2, 3);
    double once = ink_of(&canvas);
    br_canvas_fill(&canvas, (br_rect){0, 0, 113, 89}, white);
    stroke(&canvas, (br_point[]){{10.2, 10.7}, {80.9, 71.3}, {10.2, 10.7}}, 3, 3);
    assert_true(fabs(ink_of(&canvas) - once) < 1e-9);
    br_canvas_finish(&canvas);
}

static void what_cannot_be_drawn_is_left_out(void **state)
{
    (void)state;
    br_canvas canvas;
    assert_status_ok(br_canvas_init(13, 89, white, &canvas));
    stroke(&canvas, (br_point[]){{-1e9, -1e9}, {-50, 1e12}}, 2, 5);
    stroke(&canvas, (br_point[]){{NAN, 3}, {INFINITY, 5}}, 2, 5);
    stroke(&canvas, NULL, 0, 5);
    br_canvas_fill(&canvas, (br_rect){-50, -50, 40, 40}, black);
    br_canvas_fill(&canvas, (br_rect){500, 5, 40, 40}, black);
    assert_true(ink_of(&canvas) == 0);
    /* The gap of the broken line stays white; across the border only what is inside is drawn. */
    stroke(&canvas, (br_point[]){{6, -20}, {6, 20}, {6, NAN}, {6, 60}, {6, 300}}, 5, 2);
    assert_true(is_color(&canvas.image, 6, 0, black));
    assert_true(is_color(&canvas.image, 6, 40, white));
    assert_true(is_color(&canvas.image, 6, 88, black));
    br_canvas_finish(&canvas);
    assert_status(br_canvas_init(0, 5, white, &canvas), BR_ERROR_ARGUMENT, "0 x 5");
}

static void every_glyph_is_drawn_in_its_place(void **state)
{
    (void)state;
    static const char *const others[] = {"\u00b7", "\u00d7", "\u03b1", "\u03b2", "\u03c3",
                                         "\u1fb1", "\u2212", "\u2075", "\u207b", "\u8d64"};
    for (int i = 0; i < 95 + 10; i++) {
        char ascii[2] = {(char)(' ' + i), '\0'};
        const char *text = i < 95 ? ascii : others[i - 95];
        br_canvas canvas;
        assert_status_ok(br_canvas_init(89, 113, white, &canvas));
        br_text_draw(&canvas, text, &(br_text_style){.x = 20, .baseline = 70, .size = 48, .color = black});
        double width = br_text_width(text, 48);
        assert_true(width > 0);
        assert_true(i == 0 || ink_of(&canvas) > 10);
        /* Inside its advance, above the descender and no higher than a raised digit, give or take half a pen. */
        for (int y = 0; y < 113; y++)
            for (int x = 0; x < 89; x++)
                if ((x < 16 || x > 20 + width + 5 || y < 70 - 48 - 14 || y > 70 + 16 + 5) && !is_color(&canvas.image, x, y, white))
                    fail_msg("'%s' draws at %d, %d", text, x, y);
        br_canvas_finish(&canvas);
    }
}

static void text_is_measured_and_aligned(void **state)
{
    (void)state;
    assert_true(br_text_width("", 12) == 0);
    /* Grid widths 4, 2, 6 and two spaces of 2.6 at one pixel a unit. */
    assert_true(fabs(br_text_width("t 3", 12) - (4 + 2 + 6 + 2 * 2.6)) < 1e-9);
    assert_true(fabs(br_text_width("t 3", 24) - 2 * br_text_width("t 3", 12)) < 1e-9);
    assert_true(br_text_width("3\xff"
                              "333",
                              12) == br_text_width("3", 12));
    br_canvas canvas;
    assert_status_ok(br_canvas_init(113, 40, white, &canvas));
    br_text_draw(&canvas, "HHHH", &(br_text_style){100, 30, 12, BR_TEXT_RIGHT, black});
    int first = 113, last = 0;
    for (int x = 0; x < 113; x++) {
        if (!is_color(&canvas.image, x, 24, white)) {
            first = x < first ? x : first;
            last = x;
        }
    }
    assert_in_range(last, 98, 101);
    assert_in_range(first, 100 - (int)br_text_width("HHHH", 12) - 2, 100 - (int)br_text_width("HHHH", 12) + 1);
    br_canvas_finish(&canvas);
}

static void ticks_are_round(void **state)
{
    (void)state;
    static const struct {
        double low, high;
        int most;
        bool whole;
        double first, step;
        int count;
    } cases[] = {
        {0, 0.3, 4, false, 0, 0.1, 4},   {0, 999, 6, true, 0, 200, 5},       {0, 999, 11, true, 0, 100, 10},
        {-2.33, 3.2, 6, true, -2, 1, 6}, {-2.33, 3.2, 4, true, -2, 2, 3},    {0, 1, 11, true, 0, 1, 2},
        {0, 3, 2, true, 0, 2, 2},        {0, 0.0127, 5, false, 0, 0.005, 3}, {-9.7, 9.7, 2, true, 0, 10, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        br_ticks ticks = br_ticks_choose(cases[i].low, cases[i].high, cases[i].most, cases[i].whole);
        if (fabs(ticks.first - cases[i].first) > 1e-9 || fabs(ticks.step - cases[i].step) > 1e-9 || ticks.count != cases[i].count)
            fail_msg("case %zu: %g, %g, %d", i, ticks.first, ticks.step, ticks.count);
    }
    static const struct {
        double value, step;
        bool log10;
        const char *text;
    } labels[] = {
        {300, 100, false, "300"},
        {0.005, 0.005, false, "0.005"},
        {-1e-18, 0.5, false, "0.0"},
        {1.5, 0.5, false, "1.5"},
        {0, 1, true, "1"},
        {-3, 1, true, "0.001"},
        {3, 1, true, "1000"},
        {-4, 2, true, "10\u207b\u2074"},
        {12, 2, true, "10\u00b9\u00b2"},
    };
    for (size_t i = 0; i < sizeof labels / sizeof *labels; i++) {
        char text[32];
        br_tick_label(labels[i].value, labels[i].step, labels[i].log10, text);
        assert_string_equal(text, labels[i].text);
    }
}

#define STEPS 1000

typedef struct fixture {
    br_image images[13];
    double beta[STEPS], alpha_bar[STEPS];
} fixture;

static void fixture_init(fixture *f, int width, int height)
{
    double product = 1;
    for (int i = 0; i < STEPS; i++) {
        f->beta[i] = 1e-4 + (0.02 - 1e-4) * i / (STEPS - 1);
        f->alpha_bar[i] = product *= 1 - f->beta[i];
    }
    for (int i = 0; i < 13; i++) {
        assert_status_ok(br_image_init(width, height, &f->images[i]));
        for (size_t k = 0; k < br_image_size(&f->images[i]); k++)
            f->images[i].pixels[k] = (uint8_t)(k * 7 + (size_t)i * 31);
    }
}

static void fixture_finish(fixture *f)
{
    for (int i = 0; i < 13; i++)
        br_image_finish(&f->images[i]);
}

static void strip_shows_pictures_and_curves(void **state)
{
    (void)state;
    static fixture f;
    static const int steps[13] = {0, 100, 300, 600, 999};
    fixture_init(&f, 61, 53);
    br_image sheet;
    br_strip_params params = {f.images, steps, 5, f.beta, f.alpha_bar, STEPS, NULL};
    assert_status_ok(br_strip_draw(&params, &sheet));
    /* 53 to at least 192 pixels: four times. Margin 24, gap 16. */
    assert_int_equal(sheet.width, 24 + 5 * 61 * 4 + 4 * 16 + 24);
    for (int i = 0; i < 5; i++)
        for (int y = 0; y < 53 * 4; y++)
            for (int x = 0; x < 61 * 4; x++)
                assert_memory_equal(br_image_at(&sheet, 24 + i * (61 * 4 + 16) + x, 24 + y),
                                    br_image_at(&f.images[i], x / 4, y / 4), 3);
    /* The colour under a picture comes back as the three dots on the curves: 9 pixels wide, so at least 50 full pixels each. */
    for (int i = 0; i < 5; i++) {
        const uint8_t *bar = br_image_at(&sheet, 24 + i * (61 * 4 + 16) + 5, 24 + 53 * 4 + 1);
        int found = 0;
        for (int y = 24 + 53 * 4 + 60; y < sheet.height; y++)
            for (int x = 0; x < sheet.width; x++)
                found += memcmp(br_image_at(&sheet, x, y), bar, 3) == 0;
        assert_in_range(found, 3 * 50, 3 * 70);
    }
    br_image_finish(&sheet);

    /* More than a row, one alone, and a title: they fit. */
    params.title = "title";
    for (int count = 1; count <= 13; count += 6) {
        params.count = count;
        assert_status_ok(br_strip_draw(&params, &sheet));
        br_image_finish(&sheet);
    }
    fixture_finish(&f);
}

static void extreme_schedules_are_drawn(void **state)
{
    (void)state;
    static fixture f;
    static const int steps[2] = {0, 0};
    fixture_init(&f, 1, 1);
    br_image sheet;
    /* A schedule of one step; zero noise; nothing but noise (zero terminal SNR). */
    static const double kept[3] = {0.5, 1, 0};
    for (int i = 0; i < 3; i++) {
        double beta = 1 - kept[i];
        assert_status_ok(br_strip_draw(&(br_strip_params){f.images, steps, 2, &beta, &kept[i], 1, NULL}, &sheet));
        br_image_finish(&sheet);
    }
    fixture_finish(&f);
}

static void bad_strips_are_refused(void **state)
{
    (void)state;
    static fixture f;
    int steps[2] = {0, STEPS};
    fixture_init(&f, 13, 7);
    br_image sheet;
    br_strip_params params = {f.images, steps, 2, f.beta, f.alpha_bar, STEPS, NULL};
    assert_status(br_strip_draw(&params, &sheet), BR_ERROR_ARGUMENT, "step 1000 is outside the schedule: 0 to 999");
    steps[1] = -1;
    assert_status(br_strip_draw(&params, &sheet), BR_ERROR_ARGUMENT, "step -1");
    assert_null(sheet.pixels);
    steps[1] = 1;
    br_image_finish(&f.images[1]);
    assert_status_ok(br_image_init(13, 8, &f.images[1]));
    assert_status(br_strip_draw(&params, &sheet), BR_ERROR_ARGUMENT, "picture 1 of a strip is 13 x 8");
    params.count = 0;
    assert_status(br_strip_draw(&params, &sheet), BR_ERROR_ARGUMENT, "0 pictures");
    fixture_finish(&f);
    fixture_init(&f, 4096, 1);
    params.count = 2;
    assert_status(br_strip_draw(&params, &sheet), BR_ERROR_ARGUMENT, "too large");
    fixture_finish(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strokes_cover_what_they_should),
        cmocka_unit_test(what_cannot_be_drawn_is_left_out),
        cmocka_unit_test(every_glyph_is_drawn_in_its_place),
        cmocka_unit_test(text_is_measured_and_aligned),
        cmocka_unit_test(ticks_are_round),
        cmocka_unit_test(strip_shows_pictures_and_curves),
        cmocka_unit_test(extreme_schedules_are_drawn),
        cmocka_unit_test(bad_strips_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
