/* An empty folder for one test program's files. */
#ifndef BR_TEST_SCRATCH_H
#define BR_TEST_SCRATCH_H

#include <stddef.h>

/* cmocka group setup and teardown: makes the folder, removes it with everything in it. */
int br_scratch_setup(void **state);
int br_scratch_teardown(void **state);

/* The path of `name` inside the folder, valid until the next 8 calls. */
const char *br_scratch_path(const char *name);
/* Writes a file there (a `name` with slashes makes its folders) and returns its path. */
const char *br_scratch_file(const char *name, const void *data, size_t size);
/* A device without room, as /dev/full. Root gets a node of its own inside the folder, so that code which wrongly renames over a
 * device cannot harm the system's; NULL where that is not possible. */
const char *br_scratch_full_device(void);
/* The number of entries in the folder. */
int br_scratch_count(void);

#endif
