/* Writes a weight file tensor by tensor: what will be in it is said first, then the bytes follow in that order, so that the whole never is
 * in memory. Under a temporary name until it is complete (base/file.h). */
#ifndef BR_WEIGHTS_WEIGHTS_WRITER_H
#define BR_WEIGHTS_WEIGHTS_WRITER_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "weights/weights.h"

typedef enum br_weights_format {
    BR_FORMAT_SAFETENSORS,
    BR_FORMAT_GGUF,
} br_weights_format;

/* What a file will hold; everything is borrowed during the call. Data, and files, of the views are not looked at. */
typedef struct br_weights_plan {
    br_weights_format format;
    const br_tensor_view *tensors; /* name, dtype, shape, count, size */
    int count;
    const br_metadata *metadata; /* GGUF: `value` where there is one, else `text` as a string. safetensors: those with `text` */
    int metadata_count;
} br_weights_plan;

typedef struct br_weights_writer br_weights_writer;

/* Writes everything before the tensors. Errors: BR_ERROR_UNSUPPORTED for a tensor that the format cannot hold (can be asked with
 * br_weights_format_holds), BR_ERROR_IO. */
BR_MUST_CHECK br_status br_weights_writer_create(const br_weights_plan *plan, const char *path, br_weights_writer **out_writer);
/* The next `size` bytes of the tensors, all of them one after another. Errors: BR_ERROR_IO (disk full). */
BR_MUST_CHECK br_status br_weights_writer_add(br_weights_writer *writer, const void *bytes, size_t size);
/* After the last byte: renames. The writer remains to be destroyed. */
BR_MUST_CHECK br_status br_weights_writer_commit(br_weights_writer *writer);
/* Takes NULL. Without commit nothing remains on disk. */
void br_weights_writer_destroy(br_weights_writer *writer);

bool br_weights_format_holds(br_weights_format format, br_weight_dtype dtype);

#endif
