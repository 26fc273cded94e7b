/* One panel of curves over t = 0, 1, …, n-1: axes with round ticks, a legend above, marked positions. */
#ifndef BR_IMAGE_PLOT_H
#define BR_IMAGE_PLOT_H

#include <stdbool.h>

#include "image/canvas.h"

typedef struct br_series {
    const char *label;   /* for the legend; UTF-8 that font.h can draw */
    const double *value; /* borrowed, [count of the plot]; points that cannot be drawn are left out */
    br_color color;
} br_series;

typedef struct br_mark {
    int at; /* 0 .. count-1 */
    br_color color;
} br_mark;

typedef struct br_plot {
    br_rect area; /* with labels and legend */
    int scale;    /* 1: text of 9 pixels' height, lines of 2; 2 doubles both, and so on */
    const br_series *series;
    int series_count;
    int count;          /* values of each series, at least 1 */
    bool log10;         /* the vertical axis is logarithmic; values <= 0 are left out */
    const char *xlabel; /* under the right end of the horizontal axis */
    const br_mark *marks;
    int mark_count;
} br_plot;

void br_plot_draw(br_canvas *canvas, const br_plot *plot);

/* Round positions for the labels of an axis. */
typedef struct br_ticks {
    double first, step;
    int count;
} br_ticks;

/* At most `most` (>= 2) multiples of 1, 2 or 5 times a power of ten inside low <= x <= high, low < high. `whole` keeps the step at
 * least 1. */
br_ticks br_ticks_choose(double low, double high, int most, bool whole);
/* "300", "0.005", "10⁻⁴" (log10). `out` has room for 32 bytes. */
void br_tick_label(double value, double step, bool log10, char out[32]);

#endif
