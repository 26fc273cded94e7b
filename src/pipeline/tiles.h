/* Planes cut into overlapping tiles of one size, which are blended where they overlap: each counts less the nearer its edge is. Tiles are spread evenly, so that
 * the first and the last lie at the edges of the plane; numbers are those of a plane of units (latent pixels), which other planes have several pixels of. */
#ifndef BR_PIPELINE_TILES_H
#define BR_PIPELINE_TILES_H

#include <stdint.h>

#include "base/status.h"

typedef struct br_tiles {
    int height, width;           /* of the plane */
    int tile_height, tile_width; /* not more than those */
    int rows, columns;           /* how many */
} br_tiles;

/* `side` is the most that a tile may have along either; 0: one tile of everything. */
br_tiles br_tiles_make(int height, int width, int side);
/* Upper left corner of tile `index`, row by row. */
void br_tiles_corner(const br_tiles *tiles, int index, int *out_y, int *out_x);

/* Planes [channels, H, W], H and W being the tiles' times `scale`, and one tile of them [channels, h, w]. */
typedef struct br_tile_planes {
    const br_tiles *tiles;
    int index, channels, scale;
} br_tile_planes;
void br_tiles_take(const br_tile_planes *planes, const float *whole, float *out_tile);
/* Adds the tile to what `whole` has, which is zero before the first, weighted so that the weights of all tiles at a pixel sum to 1. With one tile it is a
 * copy. Errors: BR_ERROR_OUT_OF_HOST_MEMORY. */
BR_MUST_CHECK br_status br_tiles_blend(const br_tile_planes *planes, const float *tile, float *whole);

#endif
