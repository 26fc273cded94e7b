#include "image/fit.h"

#include <math.h>
#include <string.h>

#include "image/resize.h"

/* The middle of a picture. */
static br_status crop(const br_image *image, int width, int height, br_image *out_image)
{
    BR_TRY(br_image_init(width, height, out_image));
    int x = (image->width - width) / 2, y = (image->height - height) / 2;
    for (int row = 0; row < height; row++)
        memcpy(br_image_at(out_image, 0, row), br_image_at((br_image *)image, x, y + row), (size_t)width * BR_IMAGE_CHANNELS);
    return NULL;
}

br_status br_image_fit(const br_image *image, int width, int height, br_image *out_image)
{
    *out_image = (br_image){0};
    if (width < 1 || height < 1)
        return br_fail(BR_ERROR_ARGUMENT, "a picture cannot be %d x %d pixels", width, height);
    /* What is cut off is cut off first: the other way round a picture of one row would become enormous. */
    double shape = (double)width / height;
    int kept_width = (int)fmin(image->width, fmax(1, rint(image->height * shape)));
    int kept_height = (int)fmin(image->height, fmax(1, rint(image->width / shape)));
    const br_resize_params params = {.width = width, .height = height, .filter = BR_RESIZE_LANCZOS};
    br_image part;
    BR_TRY(crop(image, kept_width, kept_height, &part));
    br_status status = br_image_resize(&part, &params, out_image);
    br_image_finish(&part);
    return status;
}
