/* Several pictures of one size on one sheet. */
#ifndef BR_IMAGE_GRID_H
#define BR_IMAGE_GRID_H

#include "image/image.h"

/* The nearly square sheet that users of web UIs know: ceil(sqrt n) columns, no empty row. n >= 1. */
void br_grid_shape(int count, int *out_rows, int *out_columns);

typedef struct br_grid_params {
    const br_image *images; /* borrowed, [count], all of one size */
    int count;
    int columns; /* 0: br_grid_shape's */
    int gap;     /* white pixels between neighbours */
} br_grid_params;

/* Row by row; cells left over stay white. Errors: BR_ERROR_ARGUMENT for pictures of different sizes or a sheet past the limits. */
BR_MUST_CHECK br_status br_image_grid(const br_grid_params *params, br_image *out_image);

/* Copies all of `image` to (x, y) of `canvas`, where it must fit. */
void br_image_paste(const br_image *canvas, int x, int y, const br_image *image);

#endif
