#include "image/grid.h"

#include <string.h>

void br_grid_shape(int count, int *out_rows, int *out_columns)
{
    int columns = 1;
    while ((int64_t)columns * columns < count)
        columns++;
    *out_columns = columns;
    *out_rows = (int)(((int64_t)count + columns - 1) / columns);
}

void br_image_paste(const br_image *canvas, int x, int y, const br_image *image)
{
    for (int row = 0; row < image->height; row++)
        memcpy(br_image_at(canvas, x, y + row), br_image_at(image, 0, row), (size_t)image->width * BR_IMAGE_CHANNELS);
}

br_status br_image_grid(const br_grid_params *params, br_image *out_image)
{
    *out_image = (br_image){0};
    if (params->count < 1 || params->columns < 0 || params->gap < 0)
        return br_fail(BR_ERROR_ARGUMENT, "a grid cannot have %d pictures, %d columns and a gap of %d", params->count,
                       params->columns, params->gap);
    int width = params->images[0].width, height = params->images[0].height;
    for (int i = 1; i < params->count; i++)
        if (params->images[i].width != width || params->images[i].height != height)
            return br_fail(BR_ERROR_ARGUMENT, "picture %d of a grid is %d x %d pixels, the first is %d x %d", i,
                           params->images[i].width, params->images[i].height, width, height);
    int rows, columns = params->columns;
    if (columns == 0)
        br_grid_shape(params->count, &rows, &columns);
    columns = columns > params->count ? params->count : columns;
    rows = (params->count - 1) / columns + 1;
    int64_t sheet_width = (int64_t)columns * width + (int64_t)(columns - 1) * params->gap;
    int64_t sheet_height = (int64_t)rows * height + (int64_t)(rows - 1) * params->gap;
    if (sheet_width > BR_IMAGE_MAX_SIDE || sheet_height > BR_IMAGE_MAX_SIDE)
        return br_fail(BR_ERROR_ARGUMENT, "a grid of %d x %d pictures of %d x %d pixels is too large: at most %d on a side",
                       columns, rows, width, height, BR_IMAGE_MAX_SIDE);
    BR_TRY(br_image_init((int)sheet_width, (int)sheet_height, out_image));
    memset(out_image->pixels, 0xff, br_image_size(out_image));
    for (int i = 0; i < params->count; i++)
        br_image_paste(out_image, i % columns * (width + params->gap), i / columns * (height + params->gap), &params->images[i]);
    return NULL;
}
