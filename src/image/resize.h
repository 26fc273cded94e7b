/* Resampling with antialiasing, to the byte as Pillow's Image.resize. */
#ifndef BR_IMAGE_RESIZE_H
#define BR_IMAGE_RESIZE_H

#include "image/image.h"

typedef enum br_resize_filter {
    BR_RESIZE_LANCZOS, /* three lobes */
    BR_RESIZE_BICUBIC, /* Keys, a = -1/2 */
} br_resize_filter;

typedef struct br_resize_params {
    int width, height; /* of the result */
    br_resize_filter filter;
} br_resize_params;

/* Errors: BR_ERROR_ARGUMENT for a size outside the limits, BR_ERROR_OUT_OF_HOST_MEMORY. On failure *out_image is zeroed. */
BR_MUST_CHECK br_status br_image_resize(const br_image *image, const br_resize_params *params, br_image *out_image);

/* Every pixel becomes `factor` x `factor` equal ones. */
BR_MUST_CHECK br_status br_image_enlarge(const br_image *image, int factor, br_image *out_image);

#endif
