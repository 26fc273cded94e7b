#include "image/plot.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "image/font.h"

static const br_color axis_color = {120, 124, 134};
static const br_color grid_color = {230, 232, 237};
static const br_color text_color = {84, 88, 98};
static const br_color label_color = {32, 34, 42};
static const br_color paper = {255, 255, 255};

/* At scale 1, in pixels. */
#define TICK_TEXT 9
#define LABEL_TEXT 10
#define TOP 28
#define BOTTOM 26
#define LEFT 50
#define RIGHT 10
/* Between a label and the vertical axis: room for half a mark. */
#define TICK_GAP 9

/* Data to pixels. */
typedef struct frame {
    double left, top, right, bottom; /* of the plotting area */
    double low, high;                /* of the vertical axis, in exponents when it is logarithmic */
    int last;                        /* count - 1, at least 1 */
} frame;

br_ticks br_ticks_choose(double low, double high, int most, bool whole)
{
    double rough = (high - low) / (most - 1), power = pow(10, floor(log10(rough)));
    if (whole && power < 1)
        power = 1;
    static const double factors[] = {1, 2, 5, 10, 20};
    br_ticks ticks = {0};
    for (int i = 0; i < 5; i++) {
        ticks.step = factors[i] * power;
        /* The tolerance keeps 0.3 inside 0 .. 0.3 after rounding. */
        double begin = ceil(low / ticks.step - 1e-9), end = floor(high / ticks.step + 1e-9);
        ticks.first = begin * ticks.step;
        ticks.count = (int)(end - begin) + 1;
        if (ticks.count <= most)
            break;
    }
    return ticks;
}

void br_tick_label(double value, double step, bool log10_axis, char out[32])
{
    static const char *const raised[] = {"\u2070", "\u00b9", "\u00b2", "\u00b3", "\u2074",
                                         "\u2075", "\u2076", "\u2077", "\u2078", "\u2079"};
    if (!log10_axis) {
        double digits = ceil(-log10(step) - 1e-9);
        snprintf(out, 32, "%.*f", digits > 0 ? (int)digits : 0, fabs(value) < step / 2 ? 0.0 : value);
        return;
    }
    int exponent = (int)lround(value);
    if (exponent >= -3 && exponent <= 3) {
        snprintf(out, 32, "%.*f", exponent < 0 ? -exponent : 0, pow(10, exponent));
        return;
    }
    char digits[12];
    snprintf(digits, sizeof digits, "%d", exponent < 0 ? -exponent : exponent);
    snprintf(out, 32, "10%s", exponent < 0 ? "\u207b" : "");
    for (const char *d = digits; *d && strlen(out) < 26; d++)
        strcat(out, raised[*d - '0']);
}

static double axis_value(const br_plot *plot, double value)
{
    if (!plot->log10)
        return value;
    return value > 0 ? log10(value) : NAN;
}

/* Linear axes of non-negative data begin at zero; every axis gets some air above and never has zero height. */
static void choose_range(const br_plot *plot, frame *f)
{
    double low = INFINITY, high = -INFINITY;
    for (int s = 0; s < plot->series_count; s++) {
        for (int i = 0; i < plot->count; i++) {
            double value = axis_value(plot, plot->series[s].value[i]);
            if (isfinite(value)) {
                low = fmin(low, value);
                high = fmax(high, value);
            }
        }
    }
    if (!isfinite(low))
        low = 0, high = 1;
    if (!plot->log10 && low > 0)
        low = 0;
    if (high - low < 1e-12 * fmax(1, fabs(high)))
        high = low + 1;
    double air = 0.06 * (high - low);
    f->low = plot->log10 || low < 0 ? low - air : low;
    f->high = high + air;
}

static double x_at(const frame *f, double t)
{
    return f->left + (f->right - f->left) * t / f->last;
}

static double y_at(const frame *f, double value)
{
    return f->bottom - (f->bottom - f->top) * (value - f->low) / (f->high - f->low);
}

static void line(br_canvas *canvas, br_point a, br_point b, br_pen pen)
{
    br_canvas_stroke(canvas, &(br_path){(const br_point[]){a, b}, 2}, pen);
}

/* Hair lines lie on pixel centres, or they would be two grey ones. */
static double on_pixel(double value)
{
    return floor(value) + 0.5;
}

static void draw_axes(br_canvas *canvas, const br_plot *plot, const frame *f)
{
    double s = plot->scale;
    br_text_style style = {.size = TICK_TEXT * s, .color = text_color};
    char text[32];
    int room = (int)((f->bottom - f->top) / (30 * s));
    br_ticks ticks = br_ticks_choose(f->low, f->high, room < 2 ? 2 : room > 6 ? 6 : room, plot->log10);
    for (int i = 0; i < ticks.count; i++) {
        double value = ticks.first + i * ticks.step, y = on_pixel(y_at(f, value));
        br_canvas_fill(canvas, (br_rect){(int)f->left, (int)y, (int)(f->right - f->left), plot->scale}, grid_color);
        br_tick_label(value, ticks.step, plot->log10, text);
        style.x = f->left - TICK_GAP * s;
        style.baseline = y + TICK_TEXT * s / 2;
        style.align = BR_TEXT_RIGHT;
        br_text_draw(canvas, text, &style);
    }
    style.align = BR_TEXT_CENTER;
    style.baseline = f->bottom + 17 * s;
    double label_left = f->right - br_text_width(plot->xlabel, TICK_TEXT * s);
    room = (int)((f->right - f->left) / (44 * s));
    ticks = br_ticks_choose(0, f->last, room < 2 ? 2 : room > 11 ? 11 : room, true);
    for (int i = 0; i < ticks.count; i++) {
        double value = ticks.first + i * ticks.step, x = x_at(f, value);
        line(canvas, (br_point){on_pixel(x), f->bottom}, (br_point){on_pixel(x), f->bottom + 3 * s}, (br_pen){axis_color, s});
        br_tick_label(value, ticks.step, false, text);
        style.x = x;
        /* The axis' own label stands at its end; a tick label does not run into it. */
        if (x + br_text_width(text, style.size) / 2 < label_left - 8 * s)
            br_text_draw(canvas, text, &style);
    }
    style.x = f->right;
    style.align = BR_TEXT_RIGHT;
    style.color = label_color;
    br_text_draw(canvas, plot->xlabel, &style);
    br_canvas_fill(canvas, (br_rect){(int)f->left, (int)f->bottom, (int)(f->right - f->left), plot->scale}, axis_color);
}

static br_color lighter(br_color color)
{
    return (br_color){(uint8_t)((color.r + 255) / 2), (uint8_t)((color.g + 255) / 2), (uint8_t)((color.b + 255) / 2)};
}

static void draw_legend(br_canvas *canvas, const br_plot *plot, const frame *f)
{
    double s = plot->scale, x = f->left, y = on_pixel(plot->area.y + 10 * s);
    for (int i = 0; i < plot->series_count; i++) {
        const br_series *series = &plot->series[i];
        line(canvas, (br_point){x + s, y}, (br_point){x + 13 * s, y}, (br_pen){series->color, 3 * s});
        br_text_draw(canvas, series->label,
                     &(br_text_style){x + 21 * s, y + LABEL_TEXT * s / 2 + 1, LABEL_TEXT * s, BR_TEXT_LEFT, label_color});
        x += 21 * s + br_text_width(series->label, LABEL_TEXT * s) + 20 * s;
    }
}

/* Point by point, so that no memory is needed; the round ends join. */
static void draw_series(br_canvas *canvas, const br_plot *plot, const frame *f, const br_series *series)
{
    br_pen pen = {series->color, 2.0 * plot->scale};
    br_point points[64];
    int used = 0;
    for (int i = 0; i < plot->count; i++) {
        points[used++] = (br_point){x_at(f, i), y_at(f, axis_value(plot, series->value[i]))};
        if (used == 64 || i == plot->count - 1) {
            br_canvas_stroke(canvas, &(br_path){points, used}, pen);
            points[0] = points[used - 1];
            used = 1;
        }
    }
}

static void draw_marks(br_canvas *canvas, const br_plot *plot, const frame *f)
{
    for (int s = 0; s < plot->series_count; s++) {
        for (int i = 0; i < plot->mark_count; i++) {
            br_point at = {x_at(f, plot->marks[i].at), y_at(f, axis_value(plot, plot->series[s].value[plot->marks[i].at]))};
            br_path dot = {&at, 1};
            br_canvas_stroke(canvas, &dot, (br_pen){paper, 12.0 * plot->scale});
            br_canvas_stroke(canvas, &dot, (br_pen){plot->marks[i].color, 9.0 * plot->scale});
        }
    }
}

void br_plot_draw(br_canvas *canvas, const br_plot *plot)
{
    int s = plot->scale;
    frame f = {
        .left = plot->area.x + LEFT * s,
        .top = plot->area.y + TOP * s,
        .right = plot->area.x + plot->area.width - RIGHT * s,
        .bottom = plot->area.y + plot->area.height - BOTTOM * s,
        .last = plot->count > 1 ? plot->count - 1 : 1,
    };
    choose_range(plot, &f);
    draw_axes(canvas, plot, &f);
    for (int i = 0; i < plot->mark_count; i++) {
        double x = on_pixel(x_at(&f, plot->marks[i].at));
        br_pen pen = {lighter(plot->marks[i].color), s};
        line(canvas, (br_point){x, f.top}, (br_point){x, f.bottom}, pen);
    }
    for (int i = 0; i < plot->series_count; i++)
        draw_series(canvas, plot, &f, &plot->series[i]);
    draw_marks(canvas, plot, &f);
    draw_legend(canvas, plot, &f);
}
