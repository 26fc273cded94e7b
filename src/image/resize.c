#include "image/resize.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Weights are integers of this many fractional bits, as in Pillow, so that results agree to the byte: 32 bits less 8 for the value
 * and 2 for the overshoot of the negative lobes. */
#define WEIGHT_BITS 22

/* The contributions to every position of a resampled axis. */
typedef struct axis {
    int count, room; /* results; weights kept for each */
    int *first;      /* owned, [count]: the first source position */
    int *used;       /* owned, [count]: how many source positions */
    int32_t *weight; /* owned, [count, room] */
} axis;

static double sinc(double x)
{
    static const double pi = 3.14159265358979323846;
    return x == 0 ? 1 : sin(pi * x) / (pi * x);
}

static double filter_at(br_resize_filter filter, double x)
{
    x = fabs(x);
    if (filter == BR_RESIZE_LANCZOS)
        return x < 3 ? sinc(x) * sinc(x / 3) : 0;
    /* Keys, "Cubic convolution interpolation for digital image processing" (1981), a = -1/2. */
    if (x < 1)
        return (1.5 * x - 2.5) * x * x + 1;
    return x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0;
}

static void axis_finish(axis *a)
{
    free(a->first);
    free(a->used);
    free(a->weight);
    *a = (axis){0};
}

static br_status axis_init(int source, int target, br_resize_filter filter, axis *out_axis)
{
    double scale = (double)source / target;
    double stretch = scale > 1 ? scale : 1; /* the filter widens when shrinking: that is the antialiasing */
    double support = (filter == BR_RESIZE_LANCZOS ? 3 : 2) * stretch;
    axis a = {.count = target, .room = 2 * (int)ceil(support) + 1};
    a.first = calloc((size_t)target, sizeof *a.first);
    a.used = calloc((size_t)target, sizeof *a.used);
    a.weight = calloc((size_t)target * (size_t)a.room, sizeof *a.weight);
    double *exact = calloc((size_t)a.room, sizeof *exact);
    if (!a.first || !a.used || !a.weight || !exact) {
        axis_finish(&a);
        free(exact);
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "no memory to resize a picture from %d to %d pixels", source, target);
    }
    for (int i = 0; i < target; i++) {
        double centre = (i + 0.5) * scale, sum = 0;
        int begin = (int)(centre - support + 0.5), end = (int)(centre + support + 0.5);
        begin = begin < 0 ? 0 : begin;
        end = end > source ? source : end;
        for (int k = begin; k < end; k++)
            sum += exact[k - begin] = filter_at(filter, (k - centre + 0.5) / stretch);
        a.first[i] = begin;
        a.used[i] = end - begin;
        for (int k = 0; k < end - begin; k++)
            a.weight[(size_t)i * (size_t)a.room + (size_t)k] = (int32_t)lround(exact[k] / sum * (1 << WEIGHT_BITS));
    }
    free(exact);
    *out_axis = a;
    return NULL;
}

/* `step` bytes lie between neighbours along the axis; one channel of one result. */
static uint8_t weighted(const axis *a, int i, const uint8_t *line, size_t step)
{
    const int32_t *weight = a->weight + (size_t)i * (size_t)a->room;
    const uint8_t *source = line + (size_t)a->first[i] * step;
    int64_t sum = 1 << (WEIGHT_BITS - 1);
    for (int k = 0; k < a->used[i]; k++)
        sum += (int64_t)weight[k] * source[(size_t)k * step];
    sum >>= WEIGHT_BITS;
    return (uint8_t)(sum < 0 ? 0 : sum > 255 ? 255 : sum);
}

static br_status resize_rows(const br_image *image, const br_resize_params *params, br_image *out_image)
{
    axis a;
    BR_TRY(axis_init(image->width, params->width, params->filter, &a));
    br_status status = br_image_init(params->width, image->height, out_image);
    for (int y = 0; !status && y < image->height; y++) {
        const uint8_t *line = br_image_at(image, 0, y);
        for (int x = 0; x < params->width; x++)
            for (int c = 0; c < BR_IMAGE_CHANNELS; c++)
                br_image_at(out_image, x, y)[c] = weighted(&a, x, line + c, BR_IMAGE_CHANNELS);
    }
    axis_finish(&a);
    return status;
}

static br_status resize_columns(const br_image *image, const br_resize_params *params, br_image *out_image)
{
    axis a;
    BR_TRY(axis_init(image->height, params->height, params->filter, &a));
    br_status status = br_image_init(image->width, params->height, out_image);
    size_t stride = (size_t)image->width * BR_IMAGE_CHANNELS;
    for (int y = 0; !status && y < params->height; y++)
        for (size_t i = 0; i < stride; i++)
            out_image->pixels[(size_t)y * stride + i] = weighted(&a, y, image->pixels + i, stride);
    axis_finish(&a);
    return status;
}

br_status br_image_resize(const br_image *image, const br_resize_params *params, br_image *out_image)
{
    *out_image = (br_image){0};
    /* Before any work: a bad height is not found out after the rows are done. */
    br_image probe;
    BR_TRY(br_image_init(params->width, params->height, &probe));
    br_image_finish(&probe);
    br_image rows = {0};
    br_status status = resize_rows(image, params, &rows);
    if (!status)
        status = resize_columns(&rows, params, out_image);
    br_image_finish(&rows);
    return status;
}

br_status br_image_enlarge(const br_image *image, int factor, br_image *out_image)
{
    *out_image = (br_image){0};
    if (factor < 1 || factor > BR_IMAGE_MAX_SIDE / image->width || factor > BR_IMAGE_MAX_SIDE / image->height)
        return br_fail(BR_ERROR_ARGUMENT, "a picture of %d x %d pixels cannot be enlarged %d times", image->width, image->height,
                       factor);
    BR_TRY(br_image_init(image->width * factor, image->height * factor, out_image));
    for (int y = 0; y < out_image->height; y++)
        for (int x = 0; x < out_image->width; x++)
            memcpy(br_image_at(out_image, x, y), br_image_at(image, x / factor, y / factor), BR_IMAGE_CHANNELS);
    return NULL;
}
