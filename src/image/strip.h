/* The forward process on one sheet: noisy pictures side by side, and the schedule's curves under them. */
#ifndef BR_IMAGE_STRIP_H
#define BR_IMAGE_STRIP_H

#include "image/image.h"

typedef struct br_strip_params {
    const br_image *images; /* borrowed, [count], all of one size */
    const int *steps;       /* borrowed, [count], the t of each picture: 0 .. schedule_count-1 */
    int count;
    const double *beta, *alpha_bar; /* borrowed, [schedule_count]; alpha_bar is the product of 1 - beta */
    int schedule_count;
    const char *title; /* a line above the pictures, or NULL */
} br_strip_params;

/* Small pictures are enlarged by whole factors, each pixel a square. Every t has a colour, under its picture and in the plots of
 * beta, alpha_bar and SNR = alpha_bar / (1 - alpha_bar) (logarithmic). Errors: BR_ERROR_ARGUMENT for pictures of different sizes, a
 * step outside the schedule, or a sheet past the limits of image.h. On failure *out_image is zeroed. */
BR_MUST_CHECK br_status br_strip_draw(const br_strip_params *params, br_image *out_image);

#endif
