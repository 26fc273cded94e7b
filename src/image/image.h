/* A picture in memory: 8-bit RGB, rows top to bottom, no padding. */
#ifndef BR_IMAGE_IMAGE_H
#define BR_IMAGE_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "brume/image.h"

#define BR_IMAGE_CHANNELS 3
/* No picture may be wider or higher, or have more pixels (128 Mi: 384 MiB of RGB): what a hostile file can make us allocate. */
#define BR_IMAGE_MAX_SIDE 32768
#define BR_IMAGE_MAX_PIXELS ((size_t)1 << 27)

/* A black picture of `width` x `height`; BR_ERROR_ARGUMENT outside the limits. On failure *out_image is zeroed. */
BR_MUST_CHECK br_status br_image_init(int width, int height, br_image *out_image);

/* Bytes of `image`'s pixels. */
size_t br_image_size(const br_image *image);
/* The three bytes of one pixel; x and y must lie inside. */
uint8_t *br_image_at(const br_image *image, int x, int y);

/* A picture as a network leaves it. */
typedef struct br_image_planes {
    const float *data; /* borrowed, [3, H, W], 0 black to 1 full; values outside are clamped */
    int width, height;
} br_image_planes;

/* round(255 x), ties to even, as diffusers' numpy_to_pil. NaN and infinities are never a picture: BR_ERROR_FORMAT with their count.
 */
BR_MUST_CHECK br_status br_image_from_planes(const br_image_planes *planes, br_image *out_image);
/* Writes [3, H, W] floats in -1..1 (2 v/255 - 1, in float as diffusers does) to the caller's storage. */
void br_image_to_planes(const br_image *image, float *out_data);

#endif
