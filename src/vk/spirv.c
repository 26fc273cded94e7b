#include "vk/spirv.h"

/* SPIR-V specification, sections 2.3 (physical layout) and 3.42 (instructions). */
#define HEADER_WORDS 5
enum { OP_NAME = 5, OP_SPEC_CONSTANT_COMPOSITE = 51, OP_DECORATE = 71 };
enum { DECORATION_SPEC_ID = 1, DECORATION_BUILTIN = 11 };
#define BUILTIN_WORKGROUP_SIZE 25

typedef struct spirv_op {
    const uint32_t *words; /* the first one holds opcode and length */
    uint32_t opcode, count;
} spirv_op;

/* Moves *at behind the instruction there; false at the end, or where a length does not fit. */
static int next_op(const uint32_t *words, size_t count, size_t *at, spirv_op *out_op)
{
    if (*at >= count)
        return 0;
    *out_op = (spirv_op){&words[*at], words[*at] & 0xffff, words[*at] >> 16};
    if (out_op->count == 0 || out_op->count > count - *at)
        return 0;
    *at += out_op->count;
    return 1;
}

static const char *name_of(const uint32_t *words, size_t count, uint32_t id)
{
    spirv_op op;
    for (size_t at = HEADER_WORDS; next_op(words, count, &at, &op);)
        if (op.opcode == OP_NAME && op.count > 2 && op.words[1] == id)
            return (const char *)&op.words[2];
    return NULL;
}

/* "local_size_x" when `id` is the first part of the workgroup's size. */
static const char *size_name_of(const uint32_t *words, size_t count, uint32_t id)
{
    static const char *const names[] = {"local_size_x", "local_size_y", "local_size_z"};
    uint32_t composite = 0;
    spirv_op op;
    for (size_t at = HEADER_WORDS; next_op(words, count, &at, &op);) {
        if (op.opcode == OP_DECORATE && op.count == 4 && op.words[2] == DECORATION_BUILTIN && op.words[3] == BUILTIN_WORKGROUP_SIZE)
            composite = op.words[1];
        if (op.opcode == OP_SPEC_CONSTANT_COMPOSITE && op.count == 6 && op.words[2] == composite)
            for (int i = 0; i < 3; i++)
                if (op.words[3 + i] == id)
                    return names[i];
    }
    return NULL;
}

void br_spirv_constant_names(const uint32_t *words, size_t size, const char **out_names, uint32_t name_count)
{
    size_t count = size / sizeof *words;
    for (uint32_t i = 0; i < name_count; i++)
        out_names[i] = NULL;
    spirv_op op;
    for (size_t at = HEADER_WORDS; next_op(words, count, &at, &op);) {
        if (op.opcode != OP_DECORATE || op.count != 4 || op.words[2] != DECORATION_SPEC_ID || op.words[3] >= name_count)
            continue;
        const char *name = name_of(words, count, op.words[1]);
        out_names[op.words[3]] = name && *name ? name : size_name_of(words, count, op.words[1]);
    }
}
