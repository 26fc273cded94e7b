#include "image/canvas.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

br_status br_canvas_init(int width, int height, br_color background, br_canvas *out_canvas)
{
    *out_canvas = (br_canvas){0};
    BR_TRY(br_image_init(width, height, &out_canvas->image));
    out_canvas->mask = calloc((size_t)width, (size_t)height);
    if (!out_canvas->mask) {
        br_canvas_finish(out_canvas);
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "no memory to draw %d x %d pixels", width, height);
    }
    br_canvas_fill(out_canvas, (br_rect){0, 0, width, height}, background);
    return NULL;
}

void br_canvas_finish(br_canvas *canvas)
{
    br_image_finish(&canvas->image);
    free(canvas->mask);
    *canvas = (br_canvas){0};
}

/* Half-open pixel ranges. */
typedef struct box {
    int x0, y0, x1, y1;
} box;

static int clamp_to(double value, int high)
{
    return value < 0 ? 0 : value > high ? high : (int)value;
}

/* The pixels that a stroke of `radius` around the corners a and b can touch. */
static box box_around(const br_canvas *canvas, br_point a, br_point b, double radius)
{
    int width = canvas->image.width, height = canvas->image.height;
    return (box){
        clamp_to(floor(fmin(a.x, b.x) - radius - 1), width),
        clamp_to(floor(fmin(a.y, b.y) - radius - 1), height),
        clamp_to(ceil(fmax(a.x, b.x) + radius + 1), width),
        clamp_to(ceil(fmax(a.y, b.y) + radius + 1), height),
    };
}

void br_canvas_fill(br_canvas *canvas, br_rect rect, br_color color)
{
    int x1 = clamp_to((double)rect.x + rect.width, canvas->image.width);
    int y1 = clamp_to((double)rect.y + rect.height, canvas->image.height);
    for (int y = rect.y < 0 ? 0 : rect.y; y < y1; y++) {
        for (int x = rect.x < 0 ? 0 : rect.x; x < x1; x++) {
            uint8_t *pixel = br_image_at(&canvas->image, x, y);
            pixel[0] = color.r;
            pixel[1] = color.g;
            pixel[2] = color.b;
        }
    }
}

static double distance_to_segment(br_point p, br_point a, br_point b)
{
    double dx = b.x - a.x, dy = b.y - a.y, length2 = dx * dx + dy * dy;
    double along = length2 > 0 ? ((p.x - a.x) * dx + (p.y - a.y) * dy) / length2 : 0;
    along = along < 0 ? 0 : along > 1 ? 1 : along;
    return hypot(p.x - a.x - along * dx, p.y - a.y - along * dy);
}

/* Coverage falls from one to zero over the pixel that the edge passes through. The greatest of all segments counts, so that joins
 * are not darker than the rest. */
static void cover_segment(br_canvas *canvas, br_point a, br_point b, double radius)
{
    box area = box_around(canvas, a, b, radius);
    for (int y = area.y0; y < area.y1; y++) {
        uint8_t *mask = canvas->mask + (size_t)y * (size_t)canvas->image.width;
        for (int x = area.x0; x < area.x1; x++) {
            double cover = radius + 0.5 - distance_to_segment((br_point){x + 0.5, y + 0.5}, a, b);
            if (cover <= 0)
                continue;
            uint8_t level = (uint8_t)lround(fmin(cover, 1) * 255);
            if (level > mask[x])
                mask[x] = level;
        }
    }
}

static void blend_mask(br_canvas *canvas, box area, br_color color)
{
    const uint8_t ink[BR_IMAGE_CHANNELS] = {color.r, color.g, color.b};
    for (int y = area.y0; y < area.y1; y++) {
        uint8_t *mask = canvas->mask + (size_t)y * (size_t)canvas->image.width;
        for (int x = area.x0; x < area.x1; x++) {
            if (!mask[x])
                continue;
            uint8_t *pixel = br_image_at(&canvas->image, x, y);
            for (int c = 0; c < BR_IMAGE_CHANNELS; c++)
                pixel[c] = (uint8_t)((pixel[c] * (255 - mask[x]) + ink[c] * mask[x] + 127) / 255);
            mask[x] = 0;
        }
    }
}

static bool is_finite(br_point p)
{
    return isfinite(p.x) && isfinite(p.y);
}

void br_canvas_stroke(br_canvas *canvas, const br_path *path, br_pen pen)
{
    br_point low = {INFINITY, INFINITY}, high = {-INFINITY, -INFINITY};
    for (int i = 0; i < path->count; i++) {
        br_point a = path->points[i], b = i + 1 < path->count ? path->points[i + 1] : a;
        if (!is_finite(a))
            continue;
        low = (br_point){fmin(low.x, a.x), fmin(low.y, a.y)};
        high = (br_point){fmax(high.x, a.x), fmax(high.y, a.y)};
        cover_segment(canvas, a, is_finite(b) ? b : a, pen.width / 2);
    }
    if (is_finite(low))
        blend_mask(canvas, box_around(canvas, low, high, pen.width / 2), pen.color);
}
