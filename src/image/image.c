#include "image/image.h"

#include <math.h>
#include <stdlib.h>

br_status br_image_init(int width, int height, br_image *out_image)
{
    *out_image = (br_image){0};
    if (width < 1 || height < 1)
        return br_fail(BR_ERROR_ARGUMENT, "a picture cannot be %d x %d pixels", width, height);
    if (width > BR_IMAGE_MAX_SIDE || height > BR_IMAGE_MAX_SIDE || (size_t)width * (size_t)height > BR_IMAGE_MAX_PIXELS)
        return br_fail(BR_ERROR_ARGUMENT, "a picture of %d x %d pixels is too large: at most %d on a side and %zu in all", width,
                       height, BR_IMAGE_MAX_SIDE, BR_IMAGE_MAX_PIXELS);
    size_t size = (size_t)width * (size_t)height * BR_IMAGE_CHANNELS;
    uint8_t *pixels = calloc(1, size);
    if (!pixels)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "no memory for a picture of %d x %d pixels (%zu bytes)", width, height, size);
    *out_image = (br_image){width, height, pixels};
    return NULL;
}

void br_image_finish(br_image *image)
{
    free(image->pixels);
    *image = (br_image){0};
}

size_t br_image_size(const br_image *image)
{
    return (size_t)image->width * (size_t)image->height * BR_IMAGE_CHANNELS;
}

uint8_t *br_image_at(const br_image *image, int x, int y)
{
    return image->pixels + ((size_t)y * (size_t)image->width + (size_t)x) * BR_IMAGE_CHANNELS;
}

br_status br_image_from_planes(const br_image_planes *planes, br_image *out_image)
{
    BR_TRY(br_image_init(planes->width, planes->height, out_image));
    size_t count = (size_t)planes->width * (size_t)planes->height;
    size_t broken = 0;
    for (size_t c = 0; c < BR_IMAGE_CHANNELS; c++) {
        const float *plane = planes->data + c * count;
        for (size_t i = 0; i < count; i++) {
            float value = plane[i];
            if (!isfinite(value)) {
                broken++;
                continue;
            }
            value = value < 0.0f ? 0.0f : value > 1.0f ? 1.0f : value;
            /* rintf in the default rounding mode is ties-to-even. */
            out_image->pixels[i * BR_IMAGE_CHANNELS + c] = (uint8_t)rintf(value * 255.0f);
        }
    }
    if (broken) {
        br_image_finish(out_image);
        return br_fail(BR_ERROR_FORMAT, "the picture is broken: %zu of its %zu values are NaN or infinite", broken,
                       count * BR_IMAGE_CHANNELS);
    }
    return NULL;
}

void br_image_to_planes(const br_image *image, float *out_data)
{
    size_t count = (size_t)image->width * (size_t)image->height;
    for (size_t c = 0; c < BR_IMAGE_CHANNELS; c++)
        for (size_t i = 0; i < count; i++)
            out_data[c * count + i] = 2.0f * ((float)image->pixels[i * BR_IMAGE_CHANNELS + c] / 255.0f) - 1.0f;
}
