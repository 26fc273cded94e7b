#include "weights/weights_writer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "weights/gguf.h"
#include "weights/weights_layout.h"

struct br_weights_writer {
    br_file_writer file; /* zeroed once committed */
    char *path;          /* owned */
    size_t *sizes;       /* owned; of the tensors */
    int count, at;       /* tensors, and the one whose bytes come next */
    size_t done;         /* bytes of it that were written */
    size_t alignment;
};

bool br_weights_format_holds(br_weights_format format, br_weight_dtype dtype)
{
    return format == BR_FORMAT_GGUF ? br_gguf_tensor_type(dtype) >= 0 : br_weight_dtype_block(dtype) == 1;
}

br_status br_weights_layout_put(br_weights_layout *layout, const void *bytes, size_t size)
{
    if (size > layout->header_capacity - layout->header_size) {
        size_t capacity = 2 * (layout->header_size + size) + 4096;
        uint8_t *header = realloc(layout->header, capacity);
        if (!header)
            return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory for the header of a weight file");
        layout->header = header;
        layout->header_capacity = capacity;
    }
    if (size)
        memcpy(layout->header + layout->header_size, bytes, size);
    layout->header_size += size;
    return NULL;
}

static br_status put(br_weights_writer *writer, const void *bytes, size_t size)
{
    errno = 0;
    if (size && fwrite(bytes, 1, size, writer->file.stream) != size)
        return br_fail(BR_ERROR_IO, "%s: cannot write: %s", writer->path, strerror(errno ? errno : EIO));
    return NULL;
}

br_status br_weights_writer_create(const br_weights_plan *plan, const char *path, br_weights_writer **out_writer)
{
    *out_writer = NULL;
    br_weights_layout layout = {0};
    br_status status = NULL;
    br_weights_writer *writer = calloc(1, sizeof *writer);
    if (!writer)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "%s: out of host memory", path);
    writer->path = strdup(path);
    writer->sizes = malloc(((size_t)plan->count + 1) * sizeof *writer->sizes);
    if (!writer->path || !writer->sizes)
        BR_FAIL_GOTO(BR_ERROR_OUT_OF_HOST_MEMORY, "%s: out of host memory", path);
    for (int i = 0; i < plan->count; i++) {
        if (!br_weights_format_holds(plan->format, plan->tensors[i].dtype))
            BR_FAIL_GOTO(BR_ERROR_UNSUPPORTED, "%s: tensor \"%.200s\" is %s, which this format does not have", path,
                         plan->tensors[i].name, br_weight_dtype_name(plan->tensors[i].dtype));
        writer->sizes[i] = plan->tensors[i].size;
    }
    writer->count = plan->count;
    BR_TRY_GOTO(plan->format == BR_FORMAT_GGUF ? br_gguf_layout(plan, path, &layout) : br_safetensors_layout(plan, path, &layout));
    writer->alignment = layout.alignment;
    BR_TRY_GOTO(br_file_writer_begin(path, &writer->file));
    BR_TRY_GOTO(put(writer, layout.header, layout.header_size));
    free(layout.header);
    *out_writer = writer;
    return NULL;
fail:
    free(layout.header);
    br_weights_writer_destroy(writer);
    return status;
}

/* The gap behind the tensor that is complete; files may end without one, but gguf's own writers fill it. */
static br_status end_tensor(br_weights_writer *writer)
{
    static const uint8_t zeros[256];
    size_t gap = (writer->alignment - writer->sizes[writer->at] % writer->alignment) % writer->alignment;
    writer->at++;
    writer->done = 0;
    return put(writer, zeros, gap);
}

br_status br_weights_writer_add(br_weights_writer *writer, const void *bytes, size_t size)
{
    const uint8_t *at = bytes;
    for (;;) {
        while (writer->at < writer->count && writer->done == writer->sizes[writer->at])
            BR_TRY(end_tensor(writer));
        if (size == 0)
            return NULL;
        if (writer->at == writer->count)
            return br_fail(BR_ERROR_ARGUMENT, "%s: %zu bytes more than its tensors have", writer->path, size);
        size_t now = writer->sizes[writer->at] - writer->done;
        now = now < size ? now : size;
        BR_TRY(put(writer, at, now));
        writer->done += now;
        at += now;
        size -= now;
    }
}

br_status br_weights_writer_commit(br_weights_writer *writer)
{
    BR_TRY(br_weights_writer_add(writer, NULL, 0));
    if (writer->at < writer->count)
        return br_fail(BR_ERROR_ARGUMENT, "%s: the bytes end inside tensor %d of %d", writer->path, writer->at, writer->count);
    return br_file_writer_commit(&writer->file);
}

void br_weights_writer_destroy(br_weights_writer *writer)
{
    if (!writer)
        return;
    br_file_writer_abort(&writer->file);
    free(writer->path);
    free(writer->sizes);
    free(writer);
}
