#include "exec/bind.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/thread.h"
#include "exec/cut.h"
#include "exec/fill.h"

/* Tensors are packed into buffers of this size (a larger tensor gets its own), so no single allocation is huge. */
#define BIND_BLOCK_BYTES ((uint64_t)64 << 20)
/* The strictest minStorageBufferOffsetAlignment that Vulkan allows. */
#define BIND_ALIGNMENT 256
/* More threads than this read no faster from memory. */
#define THREADS_MAX 4
/* What a thread fills at a time: long enough that handing it over does not show. */
#define PIECE_BYTES ((uint64_t)256 << 10)
/* What all of them fill of a chunk before the caller's turn comes again: a few milliseconds. */
#define TURN_BYTES ((uint64_t)4 << 20)

typedef struct bound_tensor {
    char *name; /* owned */
    br_dtype dtype;
    br_weight_layout layout;
    int part, part_count;         /* during creation only, unless there is a cut, as is: */
    const br_tensor_view *source; /* of the first part */
    int block;                    /* or chunk of the cut */
    uint64_t offset, bytes;
} bound_tensor;

/* What one tensor of the files becomes. */
typedef struct bound_part {
    br_fill fill;
    uint64_t offset, bytes; /* of the block */
} bound_part;

/* Bytes [begin, end) of a block, of one tensor: what a thread makes at a time. */
typedef struct piece {
    const bound_part *part;
    uint64_t begin, end;
} piece;

/* What the threads share out among them: a block, or as much of it as the upload asks for at a time. */
typedef struct loader {
    br_workers *workers; /* owned */
    uint8_t **scratch;   /* owned; one for each worker */
    piece *pieces;       /* owned; of the block, in its order */
    int piece_count, first;
    uint64_t at, size; /* of the block, asked for */
    uint8_t *dst;
} loader;

struct br_bound_weights {
    bound_tensor *
        tensors; /* sorted by name, dtype, layout; while they are uploaded, and of a cut, by blocks and then by their place in the files */
    bound_part *parts; /* owned; during creation only, unless there is a cut */
    int tensor_count, part_count;
    br_vk_buffer **blocks;
    uint64_t *block_bytes;
    int block_count;
    uint64_t bytes;
    /* of a cut */
    br_vk_device *device;      /* borrowed */
    const br_weights *weights; /* borrowed */
    const char *name;          /* borrowed */
    int *firsts;               /* owned; [block_count + 1]: first tensor of each chunk */
    loader loader;
};

static int compare(const char *name, br_dtype dtype, br_weight_layout layout, const bound_tensor *tensor)
{
    int order = strcmp(name, tensor->name);
    if (order)
        return order;
    if (dtype != tensor->dtype)
        return dtype < tensor->dtype ? -1 : 1;
    return (layout > tensor->layout) - (layout < tensor->layout);
}

static int compare_tensors(const void *a, const void *b)
{
    const bound_tensor *left = a;
    return compare(left->name, left->dtype, left->layout, b);
}

/* Those that have places already by these, the others as they lie in the files. */
static int compare_sources(const void *a, const void *b)
{
    const bound_tensor *left = a, *right = b;
    if (left->block != right->block)
        return left->block < right->block ? -1 : 1;
    if (left->offset != right->offset)
        return left->offset < right->offset ? -1 : 1;
    uintptr_t x = (uintptr_t)left->source->data, y = (uintptr_t)right->source->data;
    return x != y ? (x > y) - (x < y) : compare_tensors(a, b);
}

/* The shape the file should have, for messages and for the check. */
static br_shape file_shape(const br_fill *fill)
{
    br_shape s = fill->shape;
    return fill->layout == BR_WEIGHT_OHWI ? br_shape_of(s.dim[0], s.dim[3], s.dim[1], s.dim[2]) : s;
}

static bool shape_matches(const br_fill *fill, const br_tensor_view *view)
{
    br_shape want = file_shape(fill);
    for (int i = 0; i < view->rank; i++)
        if (view->shape[i] != (i < want.rank ? want.dim[i] : 1))
            return false;
    return view->rank >= want.rank;
}

/* Finds the tensor of one part of a weight and checks it. */
static br_status find_source(const br_value_info *info, int part, const br_weights *weights, const char *component,
                             br_fill *out_fill)
{
    const char *name = info->parts[part].name;
    br_fill fill = {.dtype = info->dtype, .layout = info->layout, .shape = info->shape};
    fill.shape.dim[0] = info->parts[part].rows;
    const br_tensor_view *view = fill.source = br_weights_find(weights, name);
    if (!view)
        return br_fail(BR_ERROR_FORMAT, "%s has no tensor %s, expected %s", component, name,
                       br_shape_format(file_shape(&fill)).text);
    if (!shape_matches(&fill, view)) {
        char found[200];
        return br_fail(BR_ERROR_FORMAT, "%s: tensor %s is %s, expected %s", component, name,
                       br_weight_shape_text(view, found, sizeof found), br_shape_format(file_shape(&fill)).text);
    }
    if (!br_fill_possible(view->dtype, info->dtype))
        return br_fail(BR_ERROR_FORMAT, "%s: tensor %s is %s, expected %s", component, name, br_weight_dtype_name(view->dtype),
                       br_dtype_name(info->dtype));
    *out_fill = fill;
    return NULL;
}

static void fill_piece(void *user, int index, int worker)
{
    loader *it = user;
    const piece *now = &it->pieces[it->first + index];
    uint64_t begin = now->begin < it->at ? it->at : now->begin;
    uint64_t end = now->end > it->at + it->size ? it->at + it->size : now->end;
    br_fill_range(&now->part->fill, begin - now->part->offset, end - begin, it->scratch[worker], it->dst + (begin - it->at));
}

static br_status fill(void *user, void *dst, uint64_t at, uint64_t size)
{
    loader *it = user;
    it->dst = dst;
    it->at = at;
    it->size = size;
    it->first = 0;
    while (it->first < it->piece_count && it->pieces[it->first].end <= at)
        it->first++;
    int last = it->first;
    while (last < it->piece_count && it->pieces[last].begin < at + size)
        last++;
    br_workers_run(it->workers, last - it->first, fill_piece, it);
    return NULL;
}

static uint64_t piece_bytes(const bound_part *part)
{
    uint64_t unit = br_fill_unit(&part->fill);
    return (PIECE_BYTES + unit - 1) / unit * unit;
}

static br_status loader_init(const br_bound_weights *weights, loader *out_loader)
{
    br_status status = NULL;
    loader it = {0};
    size_t scratch = 1, most = 1;
    int threads = br_cpu_count();
    BR_TRY(br_workers_create(threads < THREADS_MAX ? threads : THREADS_MAX, &it.workers));
    for (int i = 0; i < weights->part_count; i++) {
        const bound_part *part = &weights->parts[i];
        scratch = br_fill_scratch(&part->fill) > scratch ? br_fill_scratch(&part->fill) : scratch;
        most += part->bytes / piece_bytes(part) + 1;
    }
    int count = br_workers_count(it.workers);
    it.pieces = calloc(most, sizeof *it.pieces);
    it.scratch = calloc((size_t)count, sizeof *it.scratch);
    bool enough = it.pieces && it.scratch;
    for (int i = 0; i < count && enough; i++) {
        it.scratch[i] = malloc(scratch);
        enough = it.scratch[i] != NULL;
    }
    if (!enough)
        status = br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory for %d threads that load weights", count);
    *out_loader = it;
    return status;
}

static void loader_finish(loader *it)
{
    for (int i = 0; it->scratch && i < br_workers_count(it->workers); i++)
        free(it->scratch[i]);
    free(it->scratch);
    free(it->pieces);
    br_workers_destroy(it->workers);
    *it = (loader){0};
}

/* Cuts tensors first .. last - 1, which make up a block. */
static void cut(loader *it, const br_bound_weights *weights, int first, int last)
{
    it->piece_count = 0;
    for (int i = first; i < last; i++) {
        for (int p = 0; p < weights->tensors[i].part_count; p++) {
            const bound_part *part = &weights->parts[weights->tensors[i].part + p];
            uint64_t step = piece_bytes(part);
            for (uint64_t at = 0; at < part->bytes; at += step)
                it->pieces[it->piece_count++] = (piece){.part = part,
                                                        .begin = part->offset + at,
                                                        .end = part->offset + (at + step < part->bytes ? at + step : part->bytes)};
        }
    }
}

/* One past the last tensor of the block that begins at `first`. */
static int block_end(const br_bound_weights *weights, int first)
{
    int last = first;
    while (last < weights->tensor_count && weights->tensors[last].block == weights->tensors[first].block)
        last++;
    return last;
}

/* br_weights_expect or br_weights_release of all that tensors first .. last - 1 are made of. */
static void tell(const br_weights *files, const br_bound_weights *weights, int first, int last,
                 void (*what)(const br_weights *files, const br_tensor_view *view))
{
    for (int i = first; i < last; i++)
        for (int p = 0; p < weights->tensors[i].part_count; p++)
            what(files, weights->parts[weights->tensors[i].part + p].fill.source);
}

/* Block by block, while the tensors are in the order of the files, so that disks read on. The next block is asked for early; what is done leaves our memory. */
static br_status upload_all(const br_bind_params *params, const br_bound_weights *weights, loader *it)
{
    tell(params->weights, weights, 0, weights->tensor_count ? block_end(weights, 0) : 0, br_weights_expect);
    for (int first = 0, last; first < weights->tensor_count; first = last) {
        last = block_end(weights, first);
        if (last < weights->tensor_count)
            tell(params->weights, weights, last, block_end(weights, last), br_weights_expect);
        int block = weights->tensors[first].block;
        cut(it, weights, first, last);
        BR_TRY(br_status_prefix(br_vk_upload_fill(params->device, &(br_vk_upload_params){.buffer = weights->blocks[block],
                                                                                         .size = weights->block_bytes[block],
                                                                                         .fill = fill,
                                                                                         .user = it}),
                                "uploading the weights of %s", params->name));
        tell(params->weights, weights, first, last, br_weights_release);
    }
    return br_vk_upload_flush(params->device);
}

/* One after the other from the tensor's place on. */
static void place_parts(br_bound_weights *weights, const bound_tensor *tensor)
{
    uint64_t at = tensor->offset;
    for (int i = 0; i < tensor->part_count; i++) {
        weights->parts[tensor->part + i].offset = at;
        at += weights->parts[tensor->part + i].bytes;
    }
}

static void assign_blocks(br_bound_weights *weights)
{
    for (int i = 0; i < weights->tensor_count; i++) {
        bound_tensor *tensor = &weights->tensors[i];
        uint64_t room = (tensor->bytes + BIND_ALIGNMENT - 1) / BIND_ALIGNMENT * BIND_ALIGNMENT;
        int last = weights->block_count - 1;
        if (last < 0 || weights->block_bytes[last] + room > BIND_BLOCK_BYTES)
            last = weights->block_count++;
        tensor->block = last;
        tensor->offset = weights->block_bytes[last];
        place_parts(weights, tensor);
        weights->block_bytes[last] += room;
        weights->bytes += room;
    }
}

static uint64_t bytes_of(const br_fill *fill)
{
    return (uint64_t)(br_shape_rows(fill->shape) * br_dtype_row_bytes(fill->dtype, br_shape_last(fill->shape)));
}

static br_status collect_tensor(const br_bind_params *params, br_value value, br_bound_weights *weights)
{
    const br_value_info *info = br_graph_value(params->graph, value);
    bound_tensor *tensor = &weights->tensors[weights->tensor_count++];
    *tensor = (bound_tensor){.name = strdup(info->name),
                             .dtype = info->dtype,
                             .layout = info->layout,
                             .part = weights->part_count,
                             .block = params->cut ? params->cut->chunk_of[value] : 0,
                             .offset = params->cut ? params->cut->offset_of[value] : 0,
                             .bytes = (uint64_t)br_graph_bytes(params->graph, value)};
    if (!tensor->name)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory while binding the weights of %s", params->name);
    if (!params->weights)
        return NULL;
    for (int i = 0; i < info->part_count; i++) {
        bound_part *part = &weights->parts[weights->part_count++];
        BR_TRY(find_source(info, i, params->weights, params->name, &part->fill));
        part->bytes = bytes_of(&part->fill);
    }
    tensor->part_count = info->part_count;
    tensor->source = weights->parts[tensor->part].fill.source;
    place_parts(weights, tensor);
    return NULL;
}

static bool is_weight(const br_value_info *info)
{
    return info->kind == BR_VALUE_WEIGHT && info->alias == BR_NONE;
}

static br_status collect(const br_bind_params *params, br_bound_weights *weights)
{
    const br_graph *graph = params->graph;
    size_t count = 1, parts = 1;
    for (br_value i = 0; i < graph->value_count; i++) {
        count += is_weight(&graph->values[i]);
        parts += is_weight(&graph->values[i]) ? (size_t)graph->values[i].part_count : 0;
    }
    weights->tensors = calloc(count, sizeof *weights->tensors);
    weights->parts = calloc(parts, sizeof *weights->parts);
    weights->blocks = calloc(count, sizeof *weights->blocks);
    weights->block_bytes = calloc(count, sizeof *weights->block_bytes);
    if (!weights->tensors || !weights->parts || !weights->blocks || !weights->block_bytes)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory while binding the weights of %s", params->name);
    for (br_value i = 0; i < graph->value_count; i++)
        if (is_weight(&graph->values[i]) && (!params->cut || params->cut->chunk_of[i] >= 0))
            BR_TRY(collect_tensor(params, i, weights));
    qsort(weights->tensors, (size_t)weights->tensor_count, sizeof *weights->tensors, compare_sources);
    return NULL;
}

br_status br_bound_weights_check(const br_graph *graph, const br_weights *weights, const char *name)
{
    br_fill fill;
    for (br_value i = 0; i < graph->value_count; i++)
        for (int part = 0; is_weight(&graph->values[i]) && part < graph->values[i].part_count; part++)
            BR_TRY(find_source(&graph->values[i], part, weights, name, &fill));
    return NULL;
}

/* Of weights with a cut: nothing is loaded yet. */
static br_status prepare_chunks(const br_bind_params *params, br_bound_weights *weights)
{
    weights->device = params->device;
    weights->weights = params->weights;
    weights->name = params->name;
    weights->block_count = params->cut->chunk_count;
    weights->firsts = calloc((size_t)weights->block_count + 1, sizeof *weights->firsts);
    if (!weights->firsts)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory while binding the weights of %s", params->name);
    for (int i = 0; i < weights->tensor_count; i++)
        weights->firsts[weights->tensors[i].block + 1] = i + 1;
    for (int i = 0; i < weights->block_count; i++)
        weights->bytes += weights->block_bytes[i] = params->cut->chunks[i].bytes;
    return params->weights ? loader_init(weights, &weights->loader) : NULL;
}

br_status br_bound_weights_create(const br_bind_params *params, br_bound_weights **out_weights)
{
    *out_weights = NULL;
    br_status status = NULL;
    br_bound_weights *weights = calloc(1, sizeof *weights);
    if (!weights)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory while binding the weights of %s", params->name);
    BR_TRY_GOTO(collect(params, weights));
    if (params->cut) {
        BR_TRY_GOTO(prepare_chunks(params, weights));
        *out_weights = weights;
        return NULL;
    }
    assign_blocks(weights);
    for (int i = 0; i < weights->block_count; i++)
        BR_TRY_GOTO(br_status_prefix(
            br_vk_buffer_create(params->device, BR_VK_BUFFER_DEVICE, weights->block_bytes[i], params->name, &weights->blocks[i]),
            "weights of %s", params->name));
    BR_TRY_GOTO(loader_init(weights, &weights->loader));
    BR_TRY_GOTO(upload_all(params, weights, &weights->loader));
    loader_finish(&weights->loader);
    free(weights->parts);
    weights->parts = NULL;
    qsort(weights->tensors, (size_t)weights->tensor_count, sizeof *weights->tensors, compare_tensors);
    *out_weights = weights;
    return NULL;
fail:
    br_bound_weights_destroy(weights);
    return status;
}

/* Where there is no file any ordinary numbers do: 2^-4 in 16 bits, about 10^-12 in 32. */
static br_status fill_same(void *user, void *dst, uint64_t at, uint64_t size)
{
    (void)user, (void)at;
    uint16_t number = 0x2c00;
    for (uint64_t i = 0; i + sizeof number <= size; i += sizeof number)
        memcpy((char *)dst + i, &number, sizeof number);
    return NULL;
}

/* A part of a chunk, whose bytes the uploads count from `begin`. */
typedef struct chunk_part {
    loader *loader;
    uint64_t begin;
} chunk_part;

static br_status fill_part(void *user, void *dst, uint64_t at, uint64_t size)
{
    chunk_part *part = user;
    return fill(part->loader, dst, part->begin + at, size);
}

br_status br_bound_weights_load(br_bound_weights *weights, const br_load_params *params)
{
    int first = weights->firsts[params->index], last = weights->firsts[params->index + 1];
    uint64_t bytes = weights->block_bytes[params->index];
    chunk_part part = {.loader = &weights->loader};
    if (weights->weights)
        cut(&weights->loader, weights, first, last);
    while (part.begin < bytes) {
        uint64_t left = bytes - part.begin, now = left < TURN_BYTES ? left : TURN_BYTES;
        br_vk_upload_params upload = {.buffer = params->location.buffer,
                                      .offset = params->location.offset + part.begin,
                                      .size = now,
                                      .fill = weights->weights ? fill_part : fill_same,
                                      .user = &part};
        BR_TRY(br_status_prefix(br_vk_upload_fill(weights->device, &upload), "uploading the weights of %s", weights->name));
        part.begin += now;
        if (params->meanwhile)
            params->meanwhile(params->user);
    }
    if (weights->weights)
        tell(weights->weights, weights, first, last, br_weights_release);
    return NULL;
}

void br_bound_weights_expect(const br_bound_weights *weights, int index)
{
    if (weights->weights)
        tell(weights->weights, weights, weights->firsts[index], weights->firsts[index + 1], br_weights_expect);
}

void br_bound_weights_destroy(br_bound_weights *weights)
{
    if (!weights)
        return;
    for (int i = 0; i < weights->tensor_count; i++)
        free(weights->tensors[i].name);
    for (int i = 0; i < weights->block_count; i++)
        br_vk_buffer_destroy(weights->blocks[i]);
    free(weights->tensors);
    free(weights->parts);
    free(weights->blocks);
    free(weights->block_bytes);
    free(weights->firsts);
    loader_finish(&weights->loader);
    free(weights);
}

br_location br_bound_weights_find(const br_bound_weights *weights, const br_value_info *info)
{
    int low = 0, high = weights->tensor_count;
    while (low < high) {
        int middle = low + (high - low) / 2;
        const bound_tensor *tensor = &weights->tensors[middle];
        int order = compare(info->name, info->dtype, info->layout, tensor);
        if (order == 0)
            return (br_location){weights->blocks[tensor->block], tensor->offset};
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return (br_location){0};
}

uint64_t br_bound_weights_bytes(const br_bound_weights *weights)
{
    return weights->bytes;
}
