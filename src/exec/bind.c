#include "exec/bind.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/f16.h"

/* Tensors are packed into buffers of this size (a larger tensor gets its own), so no single allocation is huge. */
#define BIND_BLOCK_BYTES ((uint64_t)64 << 20)
/* The strictest minStorageBufferOffsetAlignment that Vulkan allows. */
#define BIND_ALIGNMENT 256
/* Elements converted at a time. */
#define BIND_CHUNK 4096

typedef struct bound_tensor {
    char *name; /* owned */
    br_dtype dtype;
    br_shape shape;
    br_weight_layout layout;
    const br_tensor_view *source; /* during creation only */
    int block;
    uint64_t offset, bytes;
} bound_tensor;

struct br_bound_weights {
    bound_tensor *tensors; /* sorted by name, dtype, layout */
    int tensor_count;
    br_vk_buffer **blocks;
    uint64_t *block_bytes;
    int block_count;
    uint64_t bytes;
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

/* The shape the file should have, for messages and for the check. */
static br_shape file_shape(const bound_tensor *tensor)
{
    br_shape s = tensor->shape;
    return tensor->layout == BR_WEIGHT_OHWI ? br_shape_of(s.dim[0], s.dim[3], s.dim[1], s.dim[2]) : s;
}

static bool shape_matches(const bound_tensor *tensor, const br_tensor_view *view)
{
    br_shape want = file_shape(tensor);
    for (int i = 0; i < view->rank; i++)
        if (view->shape[i] != (i < want.rank ? want.dim[i] : 1))
            return false;
    return view->rank >= want.rank;
}

static br_status check_source(const char *component, const br_weights *weights, bound_tensor *tensor)
{
    const br_tensor_view *view = br_weights_find(weights, tensor->name);
    if (!view)
        return br_fail(BR_ERROR_FORMAT, "%s has no tensor %s, expected %s", component, tensor->name,
                       br_shape_format(file_shape(tensor)).text);
    if (!shape_matches(tensor, view)) {
        char found[200];
        return br_fail(BR_ERROR_FORMAT, "%s: tensor %s is %s, expected %s", component, tensor->name,
                       br_weight_shape_text(view, found, sizeof found), br_shape_format(file_shape(tensor)).text);
    }
    tensor->source = view;
    return NULL;
}

/* Conversion of one tensor while it is copied to the device. */
typedef struct fill_state {
    const bound_tensor *tensor;
    float *row;     /* [I, KH, KW] of one output channel as stored, then [KH, KW, I] behind it */
    int64_t row_at; /* which output channel `row` holds */
} fill_state;

static void store(br_dtype dtype, const float *values, int64_t count, void *dst)
{
    if (dtype == BR_F32) {
        memcpy(dst, values, (size_t)count * sizeof *values);
        return;
    }
    uint16_t *halves = dst;
    for (int64_t i = 0; i < count; i++)
        halves[i] = br_f32_to_f16(values[i]);
}

static void fill_plain(const bound_tensor *tensor, uint8_t *dst, int64_t first, int64_t count)
{
    int64_t element = br_dtype_size(tensor->dtype);
    if ((tensor->dtype == BR_F32 && tensor->source->dtype == BR_WEIGHT_F32) ||
        (tensor->dtype == BR_F16 && tensor->source->dtype == BR_WEIGHT_F16)) {
        memcpy(dst, (const uint8_t *)tensor->source->data + first * element, (size_t)(count * element));
        return;
    }
    float values[BIND_CHUNK];
    for (int64_t done = 0; done < count;) {
        int64_t now = count - done < BIND_CHUNK ? count - done : BIND_CHUNK;
        br_weight_to_f32(tensor->source, (size_t)(first + done), (size_t)now, values);
        store(tensor->dtype, values, now, dst + done * element);
        done += now;
    }
}

static void load_row(fill_state *state, int64_t o)
{
    br_shape s = state->tensor->shape; /* [O, KH, KW, I] */
    int64_t taps = s.dim[1] * s.dim[2], channels = s.dim[3], row = taps * channels;
    br_weight_to_f32(state->tensor->source, (size_t)(o * row), (size_t)row, state->row);
    float *ordered = state->row + row;
    for (int64_t i = 0; i < channels; i++)
        for (int64_t tap = 0; tap < taps; tap++)
            ordered[tap * channels + i] = state->row[i * taps + tap];
    state->row_at = o;
}

static void fill_ohwi(fill_state *state, uint8_t *dst, int64_t first, int64_t count)
{
    br_shape s = state->tensor->shape;
    int64_t row = s.dim[1] * s.dim[2] * s.dim[3], element = br_dtype_size(state->tensor->dtype);
    for (int64_t done = 0; done < count;) {
        int64_t o = (first + done) / row, at = (first + done) % row;
        int64_t now = row - at < count - done ? row - at : count - done;
        if (state->row_at != o)
            load_row(state, o);
        store(state->tensor->dtype, state->row + row + at, now, dst + done * element);
        done += now;
    }
}

static br_status fill(void *user, void *dst, uint64_t at, uint64_t size)
{
    fill_state *state = user;
    int64_t element = br_dtype_size(state->tensor->dtype);
    int64_t first = (int64_t)at / element, count = (int64_t)size / element;
    if (state->tensor->layout == BR_WEIGHT_OHWI)
        fill_ohwi(state, dst, first, count);
    else
        fill_plain(state->tensor, dst, first, count);
    return NULL;
}

static br_status upload(br_vk_device *device, const br_bound_weights *weights, const bound_tensor *tensor)
{
    fill_state state = {.tensor = tensor, .row_at = -1};
    if (tensor->layout == BR_WEIGHT_OHWI) {
        br_shape s = tensor->shape;
        state.row = malloc(2 * sizeof(float) * (size_t)(s.dim[1] * s.dim[2] * s.dim[3]));
        if (!state.row)
            return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory while loading %s", tensor->name);
    }
    br_status status = br_vk_upload_fill(device, &(br_vk_upload_params){.buffer = weights->blocks[tensor->block],
                                                                        .offset = tensor->offset,
                                                                        .size = tensor->bytes,
                                                                        .fill = fill,
                                                                        .user = &state});
    free(state.row);
    return br_status_prefix(status, "uploading %s", tensor->name);
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
        weights->block_bytes[last] += room;
        weights->bytes += room;
    }
}

static br_status collect(const br_bind_params *params, br_bound_weights *weights)
{
    const br_graph *graph = params->graph;
    size_t count = 1;
    for (br_value i = 0; i < graph->value_count; i++)
        count += graph->values[i].kind == BR_VALUE_WEIGHT && graph->values[i].alias == BR_NONE;
    weights->tensors = calloc(count, sizeof *weights->tensors);
    weights->blocks = calloc(count, sizeof *weights->blocks);
    weights->block_bytes = calloc(count, sizeof *weights->block_bytes);
    if (!weights->tensors || !weights->blocks || !weights->block_bytes)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory while binding the weights of %s", params->name);
    for (br_value i = 0; i < graph->value_count; i++) {
        const br_value_info *info = &graph->values[i];
        if (info->kind != BR_VALUE_WEIGHT || info->alias != BR_NONE)
            continue;
        bound_tensor *tensor = &weights->tensors[weights->tensor_count++];
        *tensor = (bound_tensor){.name = strdup(info->name),
                                 .dtype = info->dtype,
                                 .shape = info->shape,
                                 .layout = info->layout,
                                 .bytes = (uint64_t)br_graph_bytes(graph, i)};
        if (!tensor->name)
            return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory while binding the weights of %s", params->name);
        BR_TRY(check_source(params->name, params->weights, tensor));
    }
    qsort(weights->tensors, (size_t)weights->tensor_count, sizeof *weights->tensors, compare_tensors);
    return NULL;
}

br_status br_bound_weights_create(const br_bind_params *params, br_bound_weights **out_weights)
{
    *out_weights = NULL;
    br_status status = NULL;
    br_bound_weights *weights = calloc(1, sizeof *weights);
    if (!weights)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory while binding the weights of %s", params->name);
    BR_TRY_GOTO(collect(params, weights));
    assign_blocks(weights);
    for (int i = 0; i < weights->block_count; i++)
        BR_TRY_GOTO(br_status_prefix(
            br_vk_buffer_create(params->device, BR_VK_BUFFER_DEVICE, weights->block_bytes[i], params->name, &weights->blocks[i]),
            "weights of %s", params->name));
    for (int i = 0; i < weights->tensor_count; i++)
        BR_TRY_GOTO(upload(params->device, weights, &weights->tensors[i]));
    BR_TRY_GOTO(br_vk_upload_flush(params->device));
    *out_weights = weights;
    return NULL;
fail:
    br_bound_weights_destroy(weights);
    return status;
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
    free(weights->blocks);
    free(weights->block_bytes);
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
