/* What a conversion reads: the tensors and the metadata of one file, or of a diffusers folder under one name each. */
#ifndef BR_PIPELINE_CONVERT_SOURCE_H
#define BR_PIPELINE_CONVERT_SOURCE_H

#include "base/arena.h"
#include "weights/checkpoint.h"
#include "weights/weights_writer.h"

typedef struct br_convert_source {
    br_weights *file;        /* owned; NULL for a folder */
    br_checkpoint folder;    /* owned; zeroed for a file */
    br_arena arena;          /* names */
    br_tensor_view *tensors; /* owned; in the order of their names within each part */
    int count;
    br_metadata *metadata; /* owned; for the output */
    int metadata_count;
    uint8_t file_type[4], quantization_version[4]; /* values of metadata */
} br_convert_source;

/* On failure *out_source can be closed. */
BR_MUST_CHECK br_status br_convert_source_open(const char *path, br_convert_source *out_source);
/* Takes a zeroed one. */
void br_convert_source_close(br_convert_source *source);

/* Fills `metadata`: what the input says, but for what only that file was true of; for GGUF also general.architecture, .quantization_version and, when all
 * tensors are to have `type` (else NULL), .file_type. */
BR_MUST_CHECK br_status br_convert_source_describe(br_convert_source *source, br_weights_format format, const char *type);

#endif
