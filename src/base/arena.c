#include "base/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct br_arena_block {
    br_arena_block *next;
    size_t used, size;
    alignas(max_align_t) unsigned char data[];
};

/* Large enough that a UNet's graph takes a few blocks, small enough not to matter for a config file. */
#define ARENA_BLOCK_SIZE ((size_t)64 << 10)

void br_arena_init(br_arena *arena)
{
    arena->head = NULL;
}

void br_arena_finish(br_arena *arena)
{
    for (br_arena_block *block = arena->head, *next; block; block = next) {
        next = block->next;
        free(block);
    }
    arena->head = NULL;
}

void *br_arena_alloc(br_arena *arena, size_t size)
{
    if (size > SIZE_MAX / 2)
        return NULL;
    size = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
    br_arena_block *block = arena->head;
    if (!block || block->size - block->used < size) {
        size_t room = size > ARENA_BLOCK_SIZE ? size : ARENA_BLOCK_SIZE;
        block = calloc(1, sizeof *block + room);
        if (!block)
            return NULL;
        block->size = room;
        block->next = arena->head;
        arena->head = block;
    }
    void *data = block->data + block->used;
    block->used += size;
    return data;
}

char *br_arena_strdup(br_arena *arena, const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = br_arena_alloc(arena, size);
    if (copy)
        memcpy(copy, text, size);
    return copy;
}

char *br_arena_printf(br_arena *arena, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *text = length < 0 ? NULL : br_arena_alloc(arena, (size_t)length + 1);
    if (!text)
        return NULL;
    va_start(args, format);
    vsnprintf(text, (size_t)length + 1, format, args);
    va_end(args);
    return text;
}
