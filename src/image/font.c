#include "image/font.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>

#include "image/utf8.h"

/* A glyph is strokes on a grid of twelfths of the capital height. Every two characters are a point, x then y, each one digit of
 * base 36; the baseline is y = 4, small letters reach 12 (c), capitals 16 (g). M begins a stroke, points after it are joined by
 * lines, and Q makes the next two points the control point and the end of a quadratic curve. */
#define BASELINE 4
#define CAPITAL 12.0
/* Grid units: between glyphs, and the width of the pen. */
#define SPACING 2.6
#define PEN 1.45
/* Full stops and the dots of i and j, in widths of the pen. */
#define DOT 1.3
/* In pixels: a thinner pen only makes text pale. */
#define THINNEST_PEN 1.1
#define CURVE_PIECES 8
/* The longest stroke of any glyph, flattened (the test draws them all under AddressSanitizer). */
#define STROKE_POINTS 96

#define SUPERSCRIPT_SCALE 0.66
#define SUPERSCRIPT_RISE 6.5
#define SUPERSCRIPT_PEN 0.8

typedef struct glyph {
    uint32_t point; /* Unicode */
    int width;      /* grid units */
    const char *strokes;
} glyph;

#define BOWL "M3cQ6c68Q6434Q0408Q0c3c"

static const glyph glyphs[] = {
    {' ', 2, ""},
    {'!', 2, "M1g18M14"},
    {'"', 4, "M1g1dM3g3d"},
    {'#', 7, "M142gM546gM0c7cM0878"},
    {'$', 7, "M6eQ5g3gQ0g0dQ0b3aQ7977Q7434Q1406M3i32"},
    {'%', 8, "M2gQ4g4eQ4c2cQ0c0eQ0g2gM7g14M68Q8886Q8464Q4446Q4868"},
    {'&', 7, "M741dQ1g3gQ5g5dQ5b2aQ0907Q0434Q6479"},
    {'\'', 2, "M1g1d"},
    {'(', 3, "M3hQ0e0aQ0632"},
    {')', 3, "M0hQ3e3aQ3602"},
    {'*', 6, "M3g3aM0e6cM6e0c"},
    {'+', 6, "M0969M3c36"},
    {',', 2, "M1402"},
    {'-', 4, "M0949"},
    {'.', 2, "M14"},
    {'/', 5, "M035g"},
    {'0', 6, "M3gQ6g6aQ6434Q040aQ0g3g"},
    {'1', 6, "M1d4g44"},
    {'2', 6, "M0dQ0g3gQ6g6dQ6a0464"},
    {'3', 6, "M0eQ1g3gQ6g6dQ6a3aQ6a67Q6434Q1406"},
    {'4', 6, "M545g0868"},
    {'5', 6, "M5g0g0aQ1c3cQ6c68Q6434Q1406"},
    {'6', 6, "M5fQ4g3gQ0g09Q0434Q6468Q6b3bQ0b08"},
    {'7', 6, "M0g6g24"},
    {'8', 6, "M3aQ1a1dQ1g3gQ5g5dQ5a3aQ0a07Q0434Q6467Q6a3a"},
    {'9', 6, "M15Q2434Q646bQ6g3gQ0g0cQ0939Q696c"},
    {':', 2, "M15M1b"},
    {';', 2, "M1502M1b"},
    {'<', 6, "M6d0965"},
    {'=', 6, "M0b6bM0767"},
    {'>', 6, "M0d6905"},
    {'?', 6, "M0dQ0g3gQ6g6dQ6a3938M34"},
    {'@', 10, "M7aQ7c5cQ3c39Q3656Q7679M7c79Q7797Qa7aaQag5gQ0g0aQ0454Q7485"},
    {'A', 8, "M044g84M1777"},
    {'B', 7, "M040g3gQ6g6dQ6a3a0aM3aQ7a77Q743404"},
    {'C', 7, "M7eQ6g4gQ0g0aQ0444Q6476"},
    {'D', 8, "M040g3gQ8g8aQ843404"},
    {'E', 6, "M64040g6gM0a5a"},
    {'F', 6, "M040g6gM0a5a"},
    {'G', 8, "M7eQ6g4gQ0g0aQ0444Q84888a5a"},
    {'H', 7, "M040gM747gM0a7a"},
    {'I', 2, "M141g"},
    {'J', 5, "M5g57Q5434Q1406"},
    {'K', 7, "M040gM7g08M2a74"},
    {'L', 6, "M0g0464"},
    {'M', 8, "M040g468g84"},
    {'N', 7, "M040g747g"},
    {'O', 8, "M4gQ8g8aQ8444Q040aQ0g4g"},
    {'P', 7, "M040g4gQ7g7dQ7a4a0a"},
    {'Q', 8, "M4gQ8g8aQ8444Q040aQ0g4gM5783"},
    {'R', 7, "M040g4gQ7g7dQ7a4a0aM3a74"},
    {'S', 7, "M6eQ5g3gQ0g0dQ0b3aQ7977Q7434Q1406"},
    {'T', 8, "M444gM0g8g"},
    {'U', 8, "M0g08Q0444Q84888g"},
    {'V', 8, "M0g448g"},
    {'W', 10, "M0g345d74ag"},
    {'X', 7, "M047gM0g74"},
    {'Y', 8, "M0g498gM4944"},
    {'Z', 7, "M0g7g0474"},
    {'[', 3, "M3h0h0232"},
    {'\\', 5, "M0g53"},
    {']', 3, "M0h3h3202"},
    {'^', 6, "M0d3g6d"},
    {'_', 6, "M0363"},
    {'`', 2, "M0g2e"},
    {'a', 6, "M1bQ2c3cQ6c6964M6939Q0907Q0434Q5467"},
    {'b', 6, BOWL "M0g04"},
    {'c', 6, "M6bQ5c3cQ0c08Q0434Q5465"},
    {'d', 6, BOWL "M6g64"},
    {'e', 6, "M0868Q6c3cQ0c08Q0434Q5465"},
    {'f', 4, "M4gQ1g1d14M0c4c"},
    {'g', 6, BOWL "M6c63Q6030Q1001"},
    {'h', 6, "M0g04M09Q0c3cQ6c6964"},
    {'i', 2, "M1c14M1g"},
    {'j', 2, "M2c23Q2000M2g"},
    {'k', 5, "M0g04M5c07M2954"},
    {'l', 3, "M1g17Q1434"},
    {'m', 8, "M0c04M09Q0c2cQ4c4944M49Q4c6cQ8c8984"},
    {'n', 6, "M0c04M09Q0c3cQ6c6964"},
    {'o', 6, BOWL},
    {'p', 6, BOWL "M0c00"},
    {'q', 6, BOWL "M6c60"},
    {'r', 4, "M0c04M09Q0c4c"},
    {'s', 6, "M6bQ5c3cQ0c0aQ0938Q6766Q6434Q1405"},
    {'t', 4, "M2f26Q2444M0c4c"},
    {'u', 6, "M0c07Q0434Q6467M6c64"},
    {'v', 6, "M0c346c"},
    {'w', 8, "M0c244b648c"},
    {'x', 6, "M046cM0c64"},
    {'y', 6, "M0c34M6c34Q2000"},
    {'z', 6, "M0c6c0464"},
    {'{', 3, "M3hQ1h1f1cQ1a0aQ1a1815Q1232"},
    {'|', 2, "M1h12"},
    {'}', 3, "M0hQ2h2f2cQ2a3aQ2a2825Q2202"},
    {'~', 6, "M09Q1b3aQ596b"},
    {0xb7, 2, "M1a"},                                       /* middle dot */
    {0xd7, 6, "M066cM0c66"},                                /* times */
    {0x3b1, 7, "M7cQ5434Q0408Q0c3cQ5c74"},                  /* alpha */
    {0x3b2, 7, "M000dQ0g3gQ6g6dQ6a3a1aM3aQ7a77Q7434Q1405"}, /* beta */
    {0x3c3, 7, "M7c3cQ0c08Q0434Q6468Q6c4c"},                /* sigma */
    {0x1fb1, 7, "M7cQ5434Q0408Q0c3cQ5c74M1f5f"},            /* alpha with macron */
    {0x2212, 6, "M0969"},                                   /* minus */
};

static const glyph missing = {0, 6, "M040g6g6404"};

static const glyph *find_glyph(uint32_t point)
{
    if (point >= ' ' && point <= '~')
        return &glyphs[point - ' '];
    for (size_t i = '~' - ' ' + 1; i < sizeof glyphs / sizeof *glyphs; i++)
        if (glyphs[i].point == point)
            return &glyphs[i];
    return &missing;
}

/* The plain character of a superscript, or 0. */
static uint32_t superscript_of(uint32_t point)
{
    if (point == 0xb2 || point == 0xb3)
        return point - 0xb2 + '2';
    if (point == 0xb9)
        return '1';
    if (point == 0x207b)
        return '-';
    return point == 0x2070 || (point >= 0x2074 && point <= 0x2079) ? point - 0x2070 + '0' : 0;
}

static double grid_value(char digit)
{
    return digit <= '9' ? digit - '0' : digit - 'a' + 10;
}

/* Where a glyph stands: grid units to pixels. */
typedef struct placement {
    double x, baseline, scale;
    br_pen pen;
} placement;

static br_point place(const placement *at, const char *digits)
{
    return (br_point){at->x + grid_value(digits[0]) * at->scale, at->baseline - (grid_value(digits[1]) - BASELINE) * at->scale};
}

static void draw_glyph(br_canvas *canvas, const glyph *drawn, const placement *at)
{
    br_point points[STROKE_POINTS];
    int count = 0;
    for (const char *s = drawn->strokes;;) {
        if (*s == 'M' || *s == '\0') {
            double width = count == 1 ? DOT * at->pen.width : at->pen.width;
            br_canvas_stroke(canvas, &(br_path){points, count}, (br_pen){at->pen.color, width});
            count = 0;
            if (*s++ == '\0')
                return;
        } else if (*s == 'Q') {
            br_point from = points[count - 1], control = place(at, s + 1), to = place(at, s + 3);
            for (int i = 1; i <= CURVE_PIECES; i++) {
                double t = (double)i / CURVE_PIECES, a = (1 - t) * (1 - t), b = 2 * t * (1 - t), c = t * t;
                points[count++] = (br_point){a * from.x + b * control.x + c * to.x, a * from.y + b * control.y + c * to.y};
            }
            s += 5;
        } else {
            points[count++] = place(at, s);
            s += 2;
        }
    }
}

/* Draws where `canvas` is not NULL; returns the width either way. */
static double run_text(br_canvas *canvas, const char *utf8, placement at)
{
    double start = at.x, scale = at.scale, baseline = at.baseline, pen = at.pen.width;
    bool any = false;
    for (uint32_t point; (point = br_utf8_next(&utf8)) != 0 && point != UINT32_MAX; any = true) {
        uint32_t plain = superscript_of(point);
        const glyph *drawn = find_glyph(plain ? plain : point);
        at.scale = plain ? scale * SUPERSCRIPT_SCALE : scale;
        at.baseline = plain ? baseline - SUPERSCRIPT_RISE * scale : baseline;
        at.pen.width = fmax(plain ? pen * SUPERSCRIPT_PEN : pen, THINNEST_PEN);
        if (canvas)
            draw_glyph(canvas, drawn, &at);
        at.x += (drawn->width + SPACING) * at.scale;
    }
    return any ? at.x - start - SPACING * at.scale : 0;
}

double br_text_width(const char *utf8, double size)
{
    return run_text(NULL, utf8, (placement){.scale = size / CAPITAL});
}

void br_text_draw(br_canvas *canvas, const char *utf8, const br_text_style *style)
{
    double width = br_text_width(utf8, style->size);
    double x = style->x - (style->align == BR_TEXT_CENTER ? width / 2 : style->align == BR_TEXT_RIGHT ? width : 0);
    double scale = style->size / CAPITAL;
    /* Strokes centred on pixel centres are sharpest. */
    run_text(canvas, utf8, (placement){floor(x) + 0.5, floor(style->baseline) - 0.5, scale, {style->color, PEN * scale}});
}
