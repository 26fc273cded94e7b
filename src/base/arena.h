/* Bump allocator for data that is released together (graph nodes, parsed configs, names). Not thread-safe. */
#ifndef BR_BASE_ARENA_H
#define BR_BASE_ARENA_H

#include <stddef.h>

#include "base/status.h"

typedef struct br_arena_block br_arena_block;

typedef struct br_arena {
    br_arena_block *head; /* owned */
} br_arena;

/* {0} is an empty arena too: nothing is allocated until the first br_arena_alloc. */
void br_arena_init(br_arena *arena);
void br_arena_finish(br_arena *arena);

/* `size` zeroed bytes aligned for any type, or NULL when the host is out of memory. Valid until br_arena_finish. */
void *br_arena_alloc(br_arena *arena, size_t size);
/* A copy of `text`, NULL when out of memory. */
char *br_arena_strdup(br_arena *arena, const char *text);
char *br_arena_printf(br_arena *arena, const char *format, ...) BR_PRINTF(2, 3);

#endif
