/* A picture to draw on: filled rectangles and antialiased strokes. Coordinates are pixels; (0, 0) is the top left corner of the top
 * left pixel, whose centre is (0.5, 0.5). Whatever lies outside is not drawn. */
#ifndef BR_IMAGE_CANVAS_H
#define BR_IMAGE_CANVAS_H

#include "image/image.h"

typedef struct br_color {
    uint8_t r, g, b;
} br_color;

typedef struct br_canvas {
    br_image image; /* owned */
    uint8_t *mask;  /* owned, [H, W]: coverage of the stroke being drawn, zero between calls */
} br_canvas;

typedef struct br_rect {
    int x, y, width, height;
} br_rect;

typedef struct br_point {
    double x, y;
} br_point;

/* One connected line with round joins and ends; a single point is a disc. */
typedef struct br_path {
    const br_point *points; /* borrowed, [count] */
    int count;
} br_path;

typedef struct br_pen {
    br_color color;
    double width;
} br_pen;

BR_MUST_CHECK br_status br_canvas_init(int width, int height, br_color background, br_canvas *out_canvas);
/* Takes a zeroed canvas. */
void br_canvas_finish(br_canvas *canvas);

void br_canvas_fill(br_canvas *canvas, br_rect rect, br_color color);
/* Not-finite points break the line. */
void br_canvas_stroke(br_canvas *canvas, const br_path *path, br_pen pen);

#endif
