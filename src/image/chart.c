#include "image/chart.h"

#include <math.h>
#include <stdio.h>

#include "image/font.h"

static const br_color axis_color = {120, 124, 134};
static const br_color grid_color = {230, 232, 237};
static const br_color text_color = {84, 88, 98};
static const br_color label_color = {32, 34, 42};

/* At scale 1, in pixels. */
#define TICK_TEXT 9
#define TITLE_TEXT 11
#define LEGEND_LINE 15
#define TOP 26
#define BOTTOM 40
#define LEFT 52
#define RIGHT 16
/* Above and below the data, in decades. */
#define AIR 0.12

/* Data to pixels; both axes in exponents of ten. */
typedef struct frame {
    double left, top, right, bottom, x_low, x_high, y_low, y_high;
} frame;

static double x_at(const frame *f, double x)
{
    return f->left + (f->right - f->left) * (log10(x) - f->x_low) / (f->x_high - f->x_low);
}

static double y_at(const frame *f, double y)
{
    return f->bottom - (f->bottom - f->top) * (log10(y) - f->y_low) / (f->y_high - f->y_low);
}

static void choose_range(const br_chart *chart, frame *f)
{
    f->x_low = log10(chart->ticks[0]) - 0.03;
    f->x_high = log10(chart->ticks[chart->tick_count - 1]) + 0.03;
    f->y_low = INFINITY;
    f->y_high = -INFINITY;
    for (int s = 0; s < chart->series_count; s++)
        for (int i = 0; i < chart->series[s].count; i++)
            if (chart->series[s].y[i] > 0) {
                f->y_low = fmin(f->y_low, log10(chart->series[s].y[i]));
                f->y_high = fmax(f->y_high, log10(chart->series[s].y[i]));
            }
    if (!isfinite(f->y_low))
        f->y_low = f->y_high = 0;
    f->y_low -= AIR;
    f->y_high += AIR;
}

static void draw_horizontal(br_canvas *canvas, const br_chart *chart, const frame *f, double value)
{
    int s = chart->scale;
    char text[32];
    double y = y_at(f, value);
    if (y < f->top || y > f->bottom)
        return;
    br_canvas_fill(canvas, (br_rect){(int)f->left, (int)y, (int)(f->right - f->left), s}, grid_color);
    snprintf(text, sizeof text, "%g", value);
    br_text_draw(canvas, text,
                 &(br_text_style){f->left - 8 * s, y + TICK_TEXT * s / 2.0, TICK_TEXT * s, BR_TEXT_RIGHT, text_color});
}

static void draw_axes(br_canvas *canvas, const br_chart *chart, const frame *f)
{
    int s = chart->scale;
    /* 1, 2 and 5 of every decade while there is room for them. */
    bool fine = f->y_high - f->y_low < 3;
    for (int decade = (int)floor(f->y_low); decade <= (int)ceil(f->y_high); decade++) {
        draw_horizontal(canvas, chart, f, pow(10, decade));
        if (fine)
            draw_horizontal(canvas, chart, f, 2 * pow(10, decade));
        if (fine)
            draw_horizontal(canvas, chart, f, 5 * pow(10, decade));
    }
    for (int i = 0; i < chart->tick_count; i++) {
        char text[32];
        double x = floor(x_at(f, chart->ticks[i]));
        br_canvas_fill(canvas, (br_rect){(int)x, (int)f->top, s, (int)(f->bottom - f->top)}, grid_color);
        snprintf(text, sizeof text, "%g", chart->ticks[i]);
        br_text_draw(canvas, text, &(br_text_style){x, f->bottom + 16 * s, TICK_TEXT * s, BR_TEXT_CENTER, text_color});
    }
    br_canvas_fill(canvas, (br_rect){(int)f->left, (int)f->bottom, (int)(f->right - f->left), s}, axis_color);
    br_text_draw(canvas, chart->xlabel,
                 &(br_text_style){(f->left + f->right) / 2, f->bottom + 33 * s, TICK_TEXT * s, BR_TEXT_CENTER, label_color});
}

static void draw_series(br_canvas *canvas, const br_chart *chart, const frame *f, const br_chart_series *series)
{
    for (int i = 0; i < series->count; i++) {
        if (!(series->y[i] > 0))
            continue;
        br_point at = {x_at(f, series->x[i]), y_at(f, series->y[i])};
        if (i + 1 < series->count && series->y[i + 1] > 0) {
            br_point next = {x_at(f, series->x[i + 1]), y_at(f, series->y[i + 1])};
            br_canvas_stroke(canvas, &(br_path){(const br_point[]){at, next}, 2},
                             (br_pen){series->color, (series->dots ? 2.0 : 1.2) * chart->scale});
        }
        if (series->dots)
            br_canvas_stroke(canvas, &(br_path){&at, 1}, (br_pen){series->color, 8.0 * chart->scale});
    }
}

static void draw_legend(br_canvas *canvas, const br_chart *chart)
{
    int s = chart->scale;
    double x = chart->area.x + LEFT * s, y = chart->area.y + (TITLE_TEXT + 2) * s;
    br_text_draw(canvas, chart->title, &(br_text_style){x, y, TITLE_TEXT * s, BR_TEXT_LEFT, label_color});
    for (int i = 0; i < chart->series_count; i++) {
        const br_chart_series *series = &chart->series[i];
        y += LEGEND_LINE * s;
        br_point ends[2] = {{x + s, y - 4 * s}, {x + 15 * s, y - 4 * s}}, middle = {x + 8 * s, y - 4 * s};
        br_canvas_stroke(canvas, &(br_path){ends, 2}, (br_pen){series->color, (series->dots ? 2.0 : 1.2) * s});
        if (series->dots)
            br_canvas_stroke(canvas, &(br_path){&middle, 1}, (br_pen){series->color, 7.0 * s});
        br_text_draw(canvas, series->label, &(br_text_style){x + 23 * s, y, TICK_TEXT * s, BR_TEXT_LEFT, label_color});
    }
}

void br_chart_draw(br_canvas *canvas, const br_chart *chart)
{
    int s = chart->scale;
    frame f = {.left = chart->area.x + LEFT * s,
               .top = chart->area.y + (TOP + LEGEND_LINE * chart->series_count) * s,
               .right = chart->area.x + chart->area.width - RIGHT * s,
               .bottom = chart->area.y + chart->area.height - BOTTOM * s};
    choose_range(chart, &f);
    draw_axes(canvas, chart, &f);
    for (int i = 0; i < chart->series_count; i++)
        draw_series(canvas, chart, &f, &chart->series[i]);
    draw_legend(canvas, chart);
}
