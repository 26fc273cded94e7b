/* Text on a canvas in a small stroke font of our own, so that a machine without fonts draws the same pictures: printable ASCII, a
 * few Greek letters and signs, superscript digits. Other characters appear as a box. */
#ifndef BR_IMAGE_FONT_H
#define BR_IMAGE_FONT_H

#include "image/canvas.h"

typedef enum br_text_align { BR_TEXT_LEFT, BR_TEXT_CENTER, BR_TEXT_RIGHT } br_text_align;

typedef struct br_text_style {
    double x, baseline; /* the point that `align` speaks of */
    double size;        /* height of a capital, in pixels */
    br_text_align align;
    br_color color;
} br_text_style;

/* In pixels. Bytes that are not UTF-8 end the text. */
double br_text_width(const char *utf8, double size);
void br_text_draw(br_canvas *canvas, const char *utf8, const br_text_style *style);

#endif
