/* Files: whole-file reads, read-only mappings, and writes that appear complete or not at all. Paths are UTF-8. */
#ifndef BR_BASE_FILE_H
#define BR_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/status.h"

/* A read-only mapping of a whole file. Nothing is read until it is looked at. The file must not shrink while it is mapped. */
typedef struct br_file_map {
    const uint8_t *data; /* owned by the mapping; NULL for an empty file */
    size_t size;
} br_file_map;

/* Errors: BR_ERROR_NOT_FOUND, BR_ERROR_IO; a folder is BR_ERROR_IO. On failure *out_map is zeroed. */
BR_MUST_CHECK br_status br_file_map_init(const char *path, br_file_map *out_map);
void br_file_map_finish(br_file_map *map);
/* Hints about bytes [first, first + size): they will be read soon; they have been read, so the pages that lie inside leave our memory (what the
 * system keeps of the file is its own). Reading them later is as good as before. */
void br_file_map_expect(const br_file_map *map, size_t first, size_t size);
void br_file_map_release(const br_file_map *map, size_t first, size_t size);

/* The whole file plus a terminating NUL that is not counted in *out_size. The caller frees *out_data with free().
 * A file of more than `max_size` bytes is refused with BR_ERROR_FORMAT. */
BR_MUST_CHECK br_status br_file_read(const char *path, size_t max_size, char **out_data, size_t *out_size);

bool br_file_exists(const char *path);
bool br_file_is_dir(const char *path);
/* One folder; not an error when it exists already. Errors: BR_ERROR_IO with path and reason. */
BR_MUST_CHECK br_status br_dir_create(const char *path);
/* Names in a folder but "." and "..", in the order of strcmp. Errors: BR_ERROR_NOT_FOUND, BR_ERROR_IO. */
typedef struct br_file_names {
    char **items; /* owned */
    int count;
} br_file_names;
BR_MUST_CHECK br_status br_dir_list(const char *path, br_file_names *out_names);
void br_file_names_finish(br_file_names *names);
/* "a/b" + "c" -> "a/b/c"; malloc'd, NULL when out of memory. */
char *br_path_join(const char *folder, const char *name);

/* A file being written under a temporary name beside `path`. Exactly one of commit and abort ends it. */
typedef struct br_file_writer {
    FILE *stream;           /* owned; write here */
    char *path, *temporary; /* owned; temporary is NULL when writing in place */
} br_file_writer;

/* Checks that the folder exists and can be written to. A device or a pipe (/dev/stdout) is written in place.
 * Errors: BR_ERROR_IO with path and reason. */
BR_MUST_CHECK br_status br_file_writer_begin(const char *path, br_file_writer *out_writer);
/* Flushes, syncs and renames. On failure nothing remains on disk. Ends the writer in either case. */
BR_MUST_CHECK br_status br_file_writer_commit(br_file_writer *writer);
/* Removes the temporary file. Takes a zeroed writer. */
void br_file_writer_abort(br_file_writer *writer);
/* begin, write, commit. */
BR_MUST_CHECK br_status br_file_write(const char *path, const void *data, size_t size);

#endif
