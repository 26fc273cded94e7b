/* Pictures to latents and back: in tiles where a pipeline has them, and again with 32 bits where 16 are too few. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/layout.h"
#include "pipeline/pipeline.h"

/* diffusers' DiagonalGaussianDistribution clamps the logarithm of the variance to this. */
#define LOG_VARIANCE_MIN -30.0f
#define LOG_VARIANCE_MAX 20.0f
br_tiles br_pipeline_decode_tiles(const br_pipeline *pipeline)
{
    return br_tiles_make(pipeline->size.height, pipeline->size.width, pipeline->size.decode_tile);
}

br_tiles br_pipeline_encode_tiles(const br_pipeline *pipeline)
{
    int factor = br_vae_factor(&pipeline->model->vae);
    return br_tiles_make(pipeline->encode_size.height / factor, pipeline->encode_size.width / factor,
                         pipeline->budget ? pipeline->size.encode_tile : pipeline->vae_tile);
}

/* Whether 16 bits were too few for what led to these numbers: an overflow is an infinity, and every norm after it makes numbers that are none. */
static bool overflowed(const br_pipeline *pipeline, const float *values, int64_t count)
{
    bool finite = true;
    for (int64_t i = 0; i < count; i++)
        finite = finite && isfinite(values[i]);
    return !finite && pipeline->dtypes.vae.activations == BR_F16;
}

/* Floats of what goes into a tile's program and what comes out of it. */
typedef struct tile_room {
    float *in, *out; /* owned by tile_room_init's caller: free(in) */
    int64_t in_count, out_count;
} tile_room;

static br_status tile_room_init(tile_room *room, int64_t in_count, int64_t out_count)
{
    *room = (tile_room){.in_count = in_count, .out_count = out_count};
    room->in = malloc((size_t)(in_count + out_count) * sizeof *room->in);
    if (!room->in)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory for the VAE's %lld numbers",
                       (long long)(in_count + out_count));
    room->out = room->in + in_count;
    return NULL;
}

/* Latents [C, h, w] of the decoder's program go in, */
static br_status write_latents(br_pipeline *pipeline, const float *latents)
{
    const br_vae_config *vae = &pipeline->model->vae;
    br_tiles tiles = br_pipeline_decode_tiles(pipeline);
    int64_t pixels = (int64_t)tiles.tile_height * tiles.tile_width;
    int64_t count = pixels * vae->latent_channels;
    float *nhwc = malloc((size_t)count * sizeof *nhwc);
    if (!nhwc)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory for %lld latents", (long long)count);
    br_layout_to_channels_last(latents, vae->latent_channels, pixels, nhwc);
    br_status status = br_stage_write_floats(&pipeline->decode, pipeline->decode_values.latents, nhwc, count);
    free(nhwc);
    return status;
}

/* and its picture comes out. */
static br_status read_picture(br_pipeline *pipeline, float *out_picture)
{
    const br_vae_config *vae = &pipeline->model->vae;
    br_tiles tiles = br_pipeline_decode_tiles(pipeline);
    int64_t pixels = (int64_t)tiles.tile_height * tiles.tile_width, factor = br_vae_factor(vae);
    return br_stage_read_floats(&pipeline->decode, pipeline->decode_values.picture, out_picture,
                                pixels * factor * factor * vae->out_channels);
}

static br_status decode_tile(br_pipeline *pipeline, const float *latents, float *out_picture)
{
    BR_TRY(write_latents(pipeline, latents));
    BR_TRY(br_stage_run(&pipeline->decode));
    return read_picture(pipeline, out_picture);
}

static br_status decode(br_pipeline *pipeline, const float *latents, float *out_picture)
{
    const br_vae_config *vae = &pipeline->model->vae;
    br_tiles tiles = br_pipeline_decode_tiles(pipeline);
    int64_t pixels = (int64_t)tiles.tile_height * tiles.tile_width, factor = br_vae_factor(vae);
    int count = tiles.rows * tiles.columns;
    if (count == 1)
        return decode_tile(pipeline, latents, out_picture);
    tile_room room;
    br_status status = NULL;
    BR_TRY(tile_room_init(&room, pixels * vae->latent_channels, pixels * factor * factor * vae->out_channels));
    memset(out_picture, 0, (size_t)(tiles.height * tiles.width * factor * factor * vae->out_channels) * sizeof *out_picture);
    for (int i = 0; i < count && !status; i++) {
        br_tiles_take(&(br_tile_planes){&tiles, i, vae->latent_channels, 1}, latents, room.in);
        status = decode_tile(pipeline, room.in, room.out);
        if (!status)
            status = br_tiles_blend(&(br_tile_planes){&tiles, i, vae->out_channels, (int)factor}, room.out, out_picture);
    }
    free(room.in);
    return status;
}

/* Decodes anew with 32 bits when 16 were too few. */
static br_status check_picture(br_pipeline *pipeline, const float *latents, float *picture)
{
    const br_vae_config *vae = &pipeline->model->vae;
    int64_t factor = br_vae_factor(vae);
    if (!overflowed(pipeline, picture, factor * factor * pipeline->size.height * pipeline->size.width * vae->out_channels))
        return NULL;
    BR_TRY(br_pipeline_widen_vae(pipeline));
    return decode(pipeline, latents, picture);
}

br_status br_pipeline_decode(br_pipeline *pipeline, const float *latents, float *out_picture)
{
    BR_TRY(decode(pipeline, latents, out_picture));
    return check_picture(pipeline, latents, out_picture);
}

br_status br_pipeline_decode_begin(br_pipeline *pipeline, const float *latents)
{
    BR_TRY(write_latents(pipeline, latents));
    return br_stage_begin(&pipeline->decode);
}

br_status br_pipeline_decode_end(br_pipeline *pipeline, const float *latents, float *out_picture)
{
    BR_TRY(br_stage_end(&pipeline->decode));
    BR_TRY(read_picture(pipeline, out_picture));
    return check_picture(pipeline, latents, out_picture);
}

/* Means, and unless they are all there is log variances, of a picture of the program's size. */
static br_status encode_tile(br_pipeline *pipeline, const tile_room *room)
{
    BR_TRY(br_stage_write_floats(&pipeline->encode, pipeline->encode_values.picture, room->in, room->in_count));
    BR_TRY(br_stage_run(&pipeline->encode));
    return br_stage_read_floats(&pipeline->encode, pipeline->encode_values.moments, room->out, room->out_count);
}

static br_status encode(br_pipeline *pipeline, const float *picture, int parts, float *out_moments)
{
    const br_vae_config *vae = &pipeline->model->vae;
    int factor = br_vae_factor(vae);
    br_tiles tiles = br_pipeline_encode_tiles(pipeline);
    int64_t count = (int64_t)tiles.height * tiles.width * vae->latent_channels;
    int64_t pixels = (int64_t)tiles.tile_height * tiles.tile_width;
    tile_room room;
    br_status status = NULL;
    BR_TRY(tile_room_init(&room, pixels * factor * factor * vae->in_channels, pixels * vae->latent_channels * parts));
    memset(out_moments, 0, (size_t)(parts * count) * sizeof *out_moments);
    for (int i = 0; i < tiles.rows * tiles.columns && !status; i++) {
        br_tiles_take(&(br_tile_planes){&tiles, i, vae->in_channels, factor}, picture, room.in);
        status = encode_tile(pipeline, &room);
        if (!status)
            status = br_tiles_blend(&(br_tile_planes){&tiles, i, vae->latent_channels * parts, 1}, room.out, out_moments);
    }
    free(room.in);
    return status;
}

br_status br_pipeline_encode(br_pipeline *pipeline, const float *picture, float *out_moments)
{
    br_tiles tiles = br_pipeline_encode_tiles(pipeline);
    int64_t count = (int64_t)tiles.height * tiles.width * pipeline->model->vae.latent_channels;
    int parts = pipeline->model->tiny_vae ? 1 : 2;
    BR_TRY(encode(pipeline, picture, parts, out_moments));
    if (overflowed(pipeline, out_moments, parts * count)) {
        BR_TRY(br_pipeline_widen_vae(pipeline));
        BR_TRY(encode(pipeline, picture, parts, out_moments));
    }
    for (int64_t i = 0; i < count && parts == 1; i++)
        out_moments[count + i] = -INFINITY;
    return NULL;
}

void br_pipeline_latents(const br_pipeline *pipeline, const float *moments, const float *noise, float *out_latents)
{
    const br_vae_config *vae = &pipeline->model->vae;
    int64_t factor = br_vae_factor(vae);
    int64_t count = (pipeline->encode_size.height / factor) * (pipeline->encode_size.width / factor) * vae->latent_channels;
    for (int64_t i = 0; i < count; i++) {
        float log_variance = fminf(fmaxf(moments[count + i], LOG_VARIANCE_MIN), LOG_VARIANCE_MAX);
        float drawn = moments[i] + (noise ? expf(0.5f * log_variance) * noise[i] : 0);
        out_latents[i] = (drawn - vae->shift_factor) * vae->scaling_factor;
    }
}
