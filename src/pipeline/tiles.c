#include "pipeline/tiles.h"

#include <stdlib.h>
#include <string.h>

/* Of a tile's side, that neighbours share at the least: as diffusers' tile_overlap_factor. */
#define OVERLAP_PART 4

static int count_along(int size, int tile)
{
    int stride = tile - tile / OVERLAP_PART;
    return tile >= size ? 1 : (size - tile + stride - 1) / stride + 1;
}

br_tiles br_tiles_make(int height, int width, int side)
{
    br_tiles tiles = {.height = height,
                      .width = width,
                      .tile_height = side && side < height ? side : height,
                      .tile_width = side && side < width ? side : width};
    tiles.rows = count_along(height, tiles.tile_height);
    tiles.columns = count_along(width, tiles.tile_width);
    return tiles;
}

static int begin_along(int size, int tile, int count, int index)
{
    return count == 1 ? 0 : (int)((int64_t)index * (size - tile) / (count - 1));
}

void br_tiles_corner(const br_tiles *tiles, int index, int *out_y, int *out_x)
{
    *out_y = begin_along(tiles->height, tiles->tile_height, tiles->rows, index / tiles->columns);
    *out_x = begin_along(tiles->width, tiles->tile_width, tiles->columns, index % tiles->columns);
}

/* Rising over what a tile shares with the one before it, falling over what it shares with the next; not yet divided by the sum over all tiles. */
static double ramp(int size, int tile, int count, int index, int scale, int64_t pixel)
{
    int begin = begin_along(size, tile, count, index);
    double weight = 1, at = (double)(pixel - (int64_t)begin * scale) + 0.5, whole = (double)tile * scale;
    if (at < 0 || at > whole)
        return 0;
    if (index > 0) {
        double shared = (double)(begin_along(size, tile, count, index - 1) + tile - begin) * scale;
        weight = at < shared ? at / shared : 1;
    }
    if (index + 1 < count) {
        double shared = (double)(begin + tile - begin_along(size, tile, count, index + 1)) * scale, left = whole - at;
        weight = left < shared && left / shared < weight ? left / shared : weight;
    }
    return weight;
}

/* Weights of the tile's pixels along one side. */
static void weigh(int size, int tile, int count, int index, int scale, float *out_weights)
{
    int64_t begin = (int64_t)begin_along(size, tile, count, index) * scale;
    for (int64_t i = 0; i < (int64_t)tile * scale; i++) {
        double sum = 0;
        for (int other = 0; other < count; other++)
            sum += ramp(size, tile, count, other, scale, begin + i);
        out_weights[i] = (float)(ramp(size, tile, count, index, scale, begin + i) / sum);
    }
}

void br_tiles_take(const br_tile_planes *planes, const float *whole, float *out_tile)
{
    const br_tiles *tiles = planes->tiles;
    int64_t width = (int64_t)tiles->width * planes->scale, height = (int64_t)tiles->height * planes->scale;
    int64_t w = (int64_t)tiles->tile_width * planes->scale, h = (int64_t)tiles->tile_height * planes->scale;
    int y, x;
    br_tiles_corner(tiles, planes->index, &y, &x);
    const float *corner = whole + (int64_t)y * planes->scale * width + (int64_t)x * planes->scale;
    for (int64_t c = 0; c < planes->channels; c++)
        for (int64_t row = 0; row < h; row++)
            memcpy(out_tile + (c * h + row) * w, corner + (c * height + row) * width, (size_t)w * sizeof *out_tile);
}

br_status br_tiles_blend(const br_tile_planes *planes, const float *tile, float *whole)
{
    const br_tiles *tiles = planes->tiles;
    int scale = planes->scale, y, x;
    int64_t width = (int64_t)tiles->width * scale, height = (int64_t)tiles->height * scale;
    int64_t w = (int64_t)tiles->tile_width * scale, h = (int64_t)tiles->tile_height * scale;
    float *across = malloc((size_t)(w + h) * sizeof *across), *down = across + w;
    if (!across)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory for a tile");
    br_tiles_corner(tiles, planes->index, &y, &x);
    weigh(tiles->width, tiles->tile_width, tiles->columns, planes->index % tiles->columns, scale, across);
    weigh(tiles->height, tiles->tile_height, tiles->rows, planes->index / tiles->columns, scale, down);
    float *corner = whole + (int64_t)y * scale * width + (int64_t)x * scale;
    for (int64_t c = 0; c < planes->channels; c++)
        for (int64_t row = 0; row < h; row++) {
            float *to = corner + (c * height + row) * width;
            const float *from = tile + (c * h + row) * w;
            for (int64_t i = 0; i < w; i++)
                to[i] += down[row] * across[i] * from[i];
        }
    free(across);
    return NULL;
}
