/* A named set of tensors from one or several memory-mapped files. Readers (safetensors.h, and whatever formats follow) fill it;
 * models look tensors up by name and never know the file format. Once sealed it is read-only and may be shared between threads. */
#ifndef BR_WEIGHTS_WEIGHTS_H
#define BR_WEIGHTS_WEIGHTS_H

#include <stddef.h>
#include <stdint.h>

#include "base/file.h"
#include "base/status.h"
#include "weights/dtype.h"

#define BR_WEIGHT_RANK_MAX 8

typedef struct br_tensor_view {
    const char *name; /* borrowed from the br_weights, as everything here */
    const char *file; /* where it is from, for messages */
    br_weight_dtype dtype;
    int rank;
    int64_t shape[BR_WEIGHT_RANK_MAX]; /* outermost first; C order */
    size_t count;                      /* elements */
    const void *data;                  /* little endian; not necessarily aligned for its type */
    size_t size;                       /* bytes: count elements exactly */
    /* Types with blocks: blocks follow one another in C order, and count is a multiple of the block. So is the last dimension, unless the file
     * cut its blocks across rows (ComfyUI-GGUF does for convolutions); then a row is not addressable by itself. */
} br_tensor_view;

/* Something that a file says about itself. */
typedef struct br_metadata {
    const char *key; /* borrowed from the br_weights, as everything here */
    const char *file;
    const char *text; /* a string's; NULL for other types */
    /* From a GGUF file (`value` is not NULL): the type (gguf.h) and the bytes as they stand in the file. */
    int gguf_type;
    const uint8_t *value;
    size_t size;
} br_metadata;

typedef struct br_weights br_weights;

/* NULL when none has this name. */
const br_tensor_view *br_weights_find(const br_weights *weights, const char *name);
int br_weights_count(const br_weights *weights);
/* In the order of the names (strcmp); `index` below br_weights_count. */
const br_tensor_view *br_weights_at(const br_weights *weights, int index);
/* In the order of the files. */
int br_weights_metadata_count(const br_weights *weights);
const br_metadata *br_weights_metadata_at(const br_weights *weights, int index);
/* Takes NULL. Unmaps the files, unless other weights borrow from these: every view is gone. */
void br_weights_destroy(br_weights *weights);
/* Hints: the tensor's bytes will be read soon; they are not needed for now. Tensors that lie in no mapped file stay as they are. */
void br_weights_expect(const br_weights *weights, const br_tensor_view *view);
void br_weights_release(const br_weights *weights, const br_tensor_view *view);

/* "[320, 4, 3, 3]" into `text`, cut where it does not fit; returns `text`. */
char *br_weight_shape_text(const br_tensor_view *view, char *text, size_t size);

/* Elements first .. first + count - 1 as float32, which holds every type but F64 and the wide integers exactly (those round). */
void br_weight_to_f32(const br_tensor_view *view, size_t first, size_t count, float *out_values);

/* The other way round, rounding to nearest, for F32, F16, BF16 and the block types (whole blocks). */
void br_weight_from_f32(br_weight_dtype dtype, const float *values, size_t count, void *out_bytes);

/* For readers: create, add, seal. */

/* NULL when the host is out of memory. */
br_weights *br_weights_create(void);
/* Adds the tensors of a file's bytes, which stay alive and unchanged as long as `weights`; so does `file`, which names them in messages. Does not seal. After
 * a failure only br_weights_destroy is valid. */
typedef br_status br_weights_parser(br_weights *weights, const uint8_t *bytes, size_t size, const char *file);
/* Maps `path` and parses it. Errors: BR_ERROR_NOT_FOUND, BR_ERROR_IO, and those of `parse`. */
BR_MUST_CHECK br_status br_weights_add_file(br_weights *weights, const char *path, br_weights_parser *parse);
/* One file: create, add, seal. The caller owns *out_weights. */
BR_MUST_CHECK br_status br_weights_open(const char *path, br_weights_parser *parse, br_weights **out_weights);
/* `view->name` is copied; `view->file` is what a br_weights_parser was given, or of borrowed weights. */
BR_MUST_CHECK br_status br_weights_add(br_weights *weights, const br_tensor_view *view);
/* `weights` may hold views of the sealed `source` under other names: its files stay mapped until both are destroyed. */
BR_MUST_CHECK br_status br_weights_borrow(br_weights *weights, br_weights *source);
/* `size` bytes that live as long as `weights`, for tensors that no file holds as they are wanted; NULL when out of memory. */
void *br_weights_alloc(br_weights *weights, size_t size);
/* key and text are copied. */
BR_MUST_CHECK br_status br_weights_add_metadata(br_weights *weights, const br_metadata *entry);
/* Sorts the names; a name that occurs twice is BR_ERROR_FORMAT naming both files. Nothing can be found before this. */
BR_MUST_CHECK br_status br_weights_seal(br_weights *weights);

#endif
