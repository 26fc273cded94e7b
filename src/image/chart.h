/* One panel of curves with both axes logarithmic: a title, a legend below it, labelled positions on the horizontal axis. */
#ifndef BR_IMAGE_CHART_H
#define BR_IMAGE_CHART_H

#include <stdbool.h>

#include "image/canvas.h"

typedef struct br_chart_series {
    const char *label; /* UTF-8 that font.h can draw */
    const double *x,
        *y; /* borrowed, [count], x ascending; points that are not positive are left out, and so are the lines to them */
    int count;
    br_color color;
    bool dots; /* at each point */
} br_chart_series;

typedef struct br_chart {
    br_rect area;
    int scale; /* 1: text of 9 pixels' height */
    const char *title, *xlabel;
    const br_chart_series *series; /* drawn in this order */
    int series_count;
    const double *ticks; /* of the horizontal axis, ascending; the first and the last are its ends */
    int tick_count;      /* at least 2 */
} br_chart;

void br_chart_draw(br_canvas *canvas, const br_chart *chart);

#endif
