/* A picture of any size made to fill another one. */
#ifndef BR_IMAGE_FIT_H
#define BR_IMAGE_FIT_H

#include "image/image.h"

/* Scaled (Lanczos) until it covers width x height; what sticks out on two sides is cut off evenly. A picture of the same shape loses nothing.
 * Errors: as br_image_resize. On failure *out_image is zeroed. */
BR_MUST_CHECK br_status br_image_fit(const br_image *image, int width, int height, br_image *out_image);

#endif
