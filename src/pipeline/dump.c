#include "pipeline/dump.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/npy.h"
#include "image/image.h"
#include "pipeline/layout.h"

#define DUMP_PATH_MAX 4096

typedef struct dump_path {
    char text[DUMP_PATH_MAX];
} dump_path;

static br_status path_of(const br_dump *dump, int picture, const char *name, dump_path *out_path)
{
    int length = dump->request->size.batch == 1
                     ? snprintf(out_path->text, sizeof out_path->text, "%s/%s", dump->folder, name)
                     : snprintf(out_path->text, sizeof out_path->text, "%s/%03d/%s", dump->folder, picture, name);
    if (length < 0 || (size_t)length >= sizeof out_path->text)
        return br_fail(BR_ERROR_ARGUMENT, "the dump folder's name is longer than %d bytes", DUMP_PATH_MAX - 64);
    return NULL;
}

static br_status write(const br_dump *dump, int picture, const char *name, br_npy_type type, const int64_t *shape, int rank,
                       const void *data)
{
    dump_path path;
    BR_TRY(path_of(dump, picture, name, &path));
    return br_npy_write(path.text, type, shape, rank, data);
}

br_status br_dump_begin(const br_dump *dump)
{
    if (!dump->folder)
        return NULL;
    BR_TRY(br_dir_create(dump->folder));
    for (int i = 0; i < dump->request->size.batch && dump->request->size.batch > 1; i++) {
        dump_path path;
        BR_TRY(path_of(dump, i, "", &path));
        BR_TRY(br_dir_create(path.text));
    }
    return NULL;
}

/* NAME and NAME_uncond of every picture; `two` holds the unconditional one first. */
static br_status write_two(const br_dump *dump, const char *name, br_npy_type type, const int64_t *shape, int rank, const void *two)
{
    int64_t count = rank == 1 ? shape[0] : shape[0] * shape[1]; /* of 4 bytes */
    for (int i = 0; i < 2 * dump->request->size.batch; i++) {
        char file[48];
        snprintf(file, sizeof file, "%s%s.npy", name, i % 2 ? "" : "_uncond");
        BR_TRY(write(dump, i / 2, file, type, shape, rank, (const char *)two + i % 2 * count * 4));
    }
    return NULL;
}

static int64_t context_length(const br_dump *dump)
{
    return (int64_t)dump->request->size.chunks * br_pipeline_context_length(dump->model);
}

br_status br_dump_tokens(const br_dump *dump, br_component component, const int32_t *ids)
{
    if (!dump->folder)
        return NULL;
    const int64_t shape[] = {context_length(dump)};
    return write_two(dump, component == BR_COMPONENT_TEXT_2 ? "tokens_2" : "tokens", BR_NPY_I32, shape, 1, ids);
}

br_status br_dump_text(const br_dump *dump, const float *states, const float *pooled)
{
    if (!dump->folder)
        return NULL;
    const int64_t shape[] = {context_length(dump), dump->model->unet.cross_attention_dim}, pooled_shape[] = {dump->model->pooled};
    BR_TRY(write_two(dump, "text", BR_NPY_F32, shape, 2, states));
    return pooled_shape[0] ? write_two(dump, "pooled", BR_NPY_F32, pooled_shape, 1, pooled) : NULL;
}

static br_status write_planes(const br_dump *dump, int picture, const char *name, const float *channels_last)
{
    const br_picture_size *size = &dump->request->size;
    int channels = dump->model->unet.out_channels;
    const int64_t shape[] = {channels, size->height, size->width};
    float *planes = malloc((size_t)(shape[0] * shape[1] * shape[2]) * sizeof *planes);
    if (!planes)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory while writing %s", name);
    br_layout_to_planes(channels_last, channels, shape[1] * shape[2], planes);
    br_status status = write(dump, picture, name, BR_NPY_F32, shape, 3, planes);
    free(planes);
    return status;
}

br_status br_dump_output(const br_dump *dump, int evaluation, const float *output)
{
    if (!dump->folder)
        return NULL;
    const br_picture_size *size = &dump->request->size;
    int64_t count = (int64_t)dump->model->unet.out_channels * size->height * size->width;
    for (int i = 0; i < size->batch; i++) {
        char name[48];
        snprintf(name, sizeof name, "eps_cond_%03d.npy", evaluation);
        BR_TRY(write_planes(dump, i, name, output + ((size->copies - 1) * size->batch + i) * count));
        if (size->copies == 1)
            continue;
        snprintf(name, sizeof name, "eps_uncond_%03d.npy", evaluation);
        BR_TRY(write_planes(dump, i, name, output + i * count));
    }
    return NULL;
}

br_status br_dump_latents(const br_dump *dump, const float *latents)
{
    if (!dump->folder)
        return NULL;
    const br_picture_size *size = &dump->request->size;
    const int64_t shape[] = {dump->model->vae.latent_channels, size->height, size->width};
    for (int i = 0; i < size->batch; i++)
        BR_TRY(write(dump, i, "latents.npy", BR_NPY_F32, shape, 3, latents + i * dump->request->latent_count));
    return NULL;
}

br_status br_dump_picture(const br_dump *dump, int picture, const float *planes)
{
    if (!dump->folder)
        return NULL;
    const int64_t shape[] = {BR_IMAGE_CHANNELS, dump->request->height, dump->request->width};
    return write(dump, picture, "image.npy", BR_NPY_F32, shape, 3, planes);
}
