#include "weights/pickle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "weights/pickle_global.h"

/* The description of a model with all its optimizer's state is about 1 MB and 50,000 values. */
#define PICKLE_MAX ((size_t)8 << 20)
#define VALUES_MAX ((size_t)1 << 20)
#define STACK_MAX ((size_t)1 << 20)
#define MEMO_MAX ((size_t)1 << 20)

typedef struct machine {
    br_arena *arena;
    const uint8_t *at, *end;
    const char *file;
    br_pickle_value **stack; /* owned; NULL is a mark */
    size_t depth, stack_capacity;
    br_pickle_value **memo;       /* owned */
    size_t memo_count, memo_used; /* room, entries */
    size_t values;
} machine;

static br_status broken(const machine *m, const char *what)
{
    return br_fail(BR_ERROR_FORMAT, "%s: the pickle is broken: %s", m->file, what);
}

static br_status no_memory(const machine *m)
{
    return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "%s: out of host memory", m->file);
}

/* ---- stack and memo ---- */

static br_status push(machine *m, br_pickle_value *value)
{
    if (m->depth == m->stack_capacity) {
        if (m->depth == STACK_MAX)
            return broken(m, "its stack is too deep");
        size_t capacity = m->stack_capacity ? m->stack_capacity * 2 : 256;
        br_pickle_value **stack = realloc(m->stack, capacity * sizeof *stack);
        if (!stack)
            return no_memory(m);
        m->stack = stack;
        m->stack_capacity = capacity;
    }
    m->stack[m->depth++] = value;
    return NULL;
}

static br_status make(machine *m, br_pickle_type type, br_pickle_value **out_value)
{
    if (++m->values > VALUES_MAX)
        return broken(m, "it has too many values");
    *out_value = br_arena_alloc(m->arena, sizeof **out_value);
    if (!*out_value)
        return no_memory(m);
    (*out_value)->type = type;
    return NULL;
}

static br_status push_new(machine *m, br_pickle_type type, br_pickle_value **out_value)
{
    BR_TRY(make(m, type, out_value));
    return push(m, *out_value);
}

static br_status push_number(machine *m, br_pickle_type type, int64_t number)
{
    br_pickle_value *value;
    BR_TRY(push_new(m, type, &value));
    value->number = number;
    return NULL;
}

/* A value, not a mark. */
static br_status pop(machine *m, br_pickle_value **out_value)
{
    if (m->depth == 0 || !m->stack[m->depth - 1])
        return broken(m, "its stack is empty");
    *out_value = m->stack[--m->depth];
    return NULL;
}

static br_status top(machine *m, br_pickle_value **out_value)
{
    BR_TRY(pop(m, out_value));
    m->depth++;
    return NULL;
}

/* Index of the first value above the last mark. */
static br_status above_mark(const machine *m, size_t *out_first)
{
    for (size_t i = m->depth; i > 0; i--)
        if (!m->stack[i - 1]) {
            *out_first = i;
            return NULL;
        }
    return broken(m, "a mark is missing");
}

static br_status put_memo(machine *m, uint64_t index)
{
    br_pickle_value *value;
    BR_TRY(top(m, &value));
    if (index >= MEMO_MAX)
        return broken(m, "its memo is too large");
    if (index >= m->memo_count) {
        size_t count = m->memo_count ? m->memo_count : 256;
        while (count <= index)
            count *= 2;
        br_pickle_value **memo = realloc(m->memo, count * sizeof *memo);
        if (!memo)
            return no_memory(m);
        memset(memo + m->memo_count, 0, (count - m->memo_count) * sizeof *memo);
        m->memo = memo;
        m->memo_count = count;
    }
    m->memo_used += !m->memo[index];
    m->memo[index] = value;
    return NULL;
}

static br_status get_memo(machine *m, uint64_t index)
{
    if (index >= m->memo_count || !m->memo[index])
        return broken(m, "its memo has no such entry");
    return push(m, m->memo[index]);
}

/* ---- reading ---- */

static br_status take(machine *m, uint64_t count, const uint8_t **out_bytes)
{
    if (count > (uint64_t)(m->end - m->at))
        return broken(m, "it ends too early");
    *out_bytes = m->at;
    m->at += count;
    return NULL;
}

static br_status take_number(machine *m, int size, uint64_t *out_number)
{
    const uint8_t *bytes;
    BR_TRY(take(m, (uint64_t)size, &bytes));
    *out_number = 0;
    for (int i = 0; i < size; i++)
        *out_number |= (uint64_t)bytes[i] << 8 * i;
    return NULL;
}

static br_status take_line(machine *m, const char **out_text)
{
    const uint8_t *end = memchr(m->at, '\n', (size_t)(m->end - m->at));
    if (!end)
        return broken(m, "a line does not end");
    char *text = br_arena_alloc(m->arena, (size_t)(end - m->at) + 1);
    if (!text)
        return no_memory(m);
    memcpy(text, m->at, (size_t)(end - m->at));
    m->at = end + 1;
    *out_text = text;
    return NULL;
}

/* A text or bytes behind their length of `size` bytes. */
static br_status push_text(machine *m, int size)
{
    uint64_t length;
    const uint8_t *bytes;
    br_pickle_value *value;
    BR_TRY(take_number(m, size, &length));
    BR_TRY(take(m, length, &bytes));
    BR_TRY(push_new(m, BR_PICKLE_TEXT, &value));
    char *text = br_arena_alloc(m->arena, (size_t)length + 1);
    if (!text)
        return no_memory(m);
    memcpy(text, bytes, (size_t)length);
    value->text = text;
    return NULL;
}

/* A two's complement number of any length. */
static br_status push_long(machine *m, int size)
{
    uint64_t length, number = 0;
    const uint8_t *bytes;
    BR_TRY(take_number(m, size, &length));
    BR_TRY(take(m, length, &bytes));
    for (uint64_t i = 0; i < 8; i++)
        number |= (i < length ? (uint64_t)bytes[i] : length && bytes[length - 1] & 0x80 ? 0xff : 0) << 8 * i;
    return push_number(m, BR_PICKLE_INT, (int64_t)number);
}

static br_status push_float(machine *m)
{
    const uint8_t *bytes;
    uint64_t bits = 0;
    br_pickle_value *value;
    BR_TRY(take(m, 8, &bytes));
    for (int i = 0; i < 8; i++)
        bits = bits << 8 | bytes[i]; /* big endian */
    BR_TRY(push_new(m, BR_PICKLE_FLOAT, &value));
    memcpy(&value->real, &bits, sizeof value->real);
    return NULL;
}

/* ---- containers ---- */

static br_status append(machine *m, br_pickle_value *list, br_pickle_value *const *values, size_t count)
{
    if (list->capacity - list->count < count) {
        size_t capacity = list->capacity ? list->capacity : 4;
        while (capacity - list->count < count)
            capacity *= 2;
        br_pickle_value **items = br_arena_alloc(m->arena, capacity * sizeof *items);
        if (!items)
            return no_memory(m);
        if (list->count)
            memcpy(items, list->items, list->count * sizeof *items);
        list->items = items;
        list->capacity = capacity;
    }
    if (count)
        memcpy(list->items + list->count, values, count * sizeof *values);
    list->count += count;
    return NULL;
}

/* The values above the mark, or the last `count` where that is not SIZE_MAX, become a tuple. */
static br_status make_tuple(machine *m, size_t count)
{
    size_t first;
    br_pickle_value *tuple;
    if (count == SIZE_MAX) {
        BR_TRY(above_mark(m, &first));
    } else {
        for (size_t i = 0; i < count; i++)
            if (i >= m->depth || !m->stack[m->depth - 1 - i])
                return broken(m, "its stack is empty");
        first = m->depth - count;
    }
    BR_TRY(make(m, BR_PICKLE_LIST, &tuple));
    BR_TRY(append(m, tuple, m->stack + first, m->depth - first));
    m->depth = first - (count == SIZE_MAX);
    return push(m, tuple);
}

/* What may be filled: objects of classes without meaning take anything and keep nothing. */
static br_status fill(machine *m, size_t first, br_pickle_type type)
{
    br_pickle_value *container = NULL;
    size_t count = m->depth - first, below = first;
    if (below > 0 && !m->stack[below - 1])
        below--; /* the mark */
    if (below > 0)
        container = m->stack[below - 1];
    if (!container || (container->type != type && container->type != BR_PICKLE_OBJECT))
        return broken(m, "something is put into what holds nothing");
    if (type == BR_PICKLE_DICT && count % 2)
        return broken(m, "a key has no value");
    if (container->type == type)
        BR_TRY(append(m, container, m->stack + first, count));
    m->depth = below;
    return NULL;
}

static br_status fill_above_mark(machine *m, br_pickle_type type)
{
    size_t first;
    BR_TRY(above_mark(m, &first));
    return fill(m, first, type);
}

static br_status fill_last(machine *m, size_t count, br_pickle_type type)
{
    if (m->depth < count + 1)
        return broken(m, "its stack is empty");
    for (size_t i = 0; i < count + 1; i++)
        if (!m->stack[m->depth - 1 - i])
            return broken(m, "a mark stands where a value should");
    return fill(m, m->depth - count, type);
}

/* ---- classes, functions, objects ---- */

static br_status push_global(machine *m, const char *module, const char *name)
{
    br_pickle_value *value;
    size_t size = strlen(module) + strlen(name) + 2;
    BR_TRY(push_new(m, BR_PICKLE_GLOBAL, &value));
    char *text = br_arena_alloc(m->arena, size);
    if (!text)
        return no_memory(m);
    snprintf(text, size, "%s %s", module, name);
    value->text = text;
    if (!br_pickle_global_find(module, name, &value->which))
        return br_fail(BR_ERROR_UNSUPPORTED, "%s names %.100s.%.100s, which is none of what tensors are made of (nothing was run)",
                       m->file, module, name);
    return NULL;
}

static br_status stack_global(machine *m)
{
    br_pickle_value *module, *name;
    BR_TRY(pop(m, &name));
    BR_TRY(pop(m, &module));
    if (module->type != BR_PICKLE_TEXT || name->type != BR_PICKLE_TEXT)
        return broken(m, "a class has no name");
    return push_global(m, module->text, name->text);
}

/* callable(*args), or cls.__new__(cls, *args), for the callables that are understood. */
static br_status reduce(machine *m)
{
    br_pickle_value *args, *callable, *result;
    BR_TRY(pop(m, &args));
    BR_TRY(pop(m, &callable));
    if (callable->type != BR_PICKLE_GLOBAL || args->type != BR_PICKLE_LIST)
        return broken(m, "something is called that is no class or function");
    BR_TRY(make(m, BR_PICKLE_OBJECT, &result));
    BR_TRY(
        br_pickle_global_call(&(br_pickle_call){.arena = m->arena, .file = m->file, .callable = callable, .args = args}, &result));
    return push(m, result);
}

/* object.__setstate__(state): attributes stay with objects, for containers that keep theirs in one. */
static br_status build(machine *m)
{
    br_pickle_value *state, *object;
    BR_TRY(pop(m, &state));
    BR_TRY(top(m, &object));
    if (object->type == BR_PICKLE_OBJECT && state->type == BR_PICKLE_DICT) {
        object->items = state->items;
        object->count = state->count;
        object->capacity = state->count; /* never appended to */
    }
    return NULL;
}

static br_status persistent(machine *m)
{
    br_pickle_value *id, *storage;
    BR_TRY(pop(m, &id));
    BR_TRY(make(m, BR_PICKLE_STORAGE, &storage));
    BR_TRY(br_pickle_storage(m->file, id, storage));
    return push(m, storage);
}

/* ---- opcodes ---- */

static br_status pop_mark(machine *m)
{
    size_t first;
    BR_TRY(above_mark(m, &first));
    m->depth = first - 1;
    return NULL;
}

static br_status pop_one(machine *m)
{
    if (m->depth == 0)
        return broken(m, "its stack is empty");
    m->depth--;
    return NULL;
}

static br_status frozen_set(machine *m)
{
    return make_tuple(m, SIZE_MAX);
}

static br_status global_line(machine *m)
{
    const char *module, *name;
    BR_TRY(take_line(m, &module));
    BR_TRY(take_line(m, &name));
    return push_global(m, module, name);
}

static br_status memo_number(machine *m, int size, bool put)
{
    uint64_t index;
    BR_TRY(take_number(m, size, &index));
    return put ? put_memo(m, index) : get_memo(m, index);
}

static br_status push_int(machine *m, int size)
{
    uint64_t number;
    BR_TRY(take_number(m, size, &number));
    return push_number(m, BR_PICKLE_INT, size == 4 ? (int64_t)(int32_t)(uint32_t)number : (int64_t)number);
}

static br_status duplicate(machine *m)
{
    br_pickle_value *value;
    BR_TRY(top(m, &value));
    return push(m, value);
}

/* Protocol version and frame lengths say nothing that matters here. */
static br_status skip(machine *m, uint64_t count)
{
    const uint8_t *bytes;
    return take(m, count, &bytes);
}

/* Containers, numbers and texts; opcodes as in pickletools. */
static br_status run_data(machine *m, int opcode, bool *out_known)
{
    br_pickle_value *value;
    switch (opcode) {
    case 'N':
        return push_new(m, BR_PICKLE_NONE, &value);
    case 0x88:
    case 0x89:
        return push_number(m, BR_PICKLE_BOOL, opcode == 0x88);
    case 'J':
        return push_int(m, 4);
    case 'K':
        return push_int(m, 1);
    case 'M':
        return push_int(m, 2);
    case 0x8a:
        return push_long(m, 1);
    case 0x8b:
        return push_long(m, 4);
    case 'G':
        return push_float(m);
    case 'U':
    case 'C':
    case 0x8c:
        return push_text(m, 1);
    case 'T':
    case 'B':
    case 'X':
        return push_text(m, 4);
    case 0x8d:
    case 0x8e:
    case 0x96:
        return push_text(m, 8);
    case ')':
    case ']':
    case 0x8f:
        return push_new(m, BR_PICKLE_LIST, &value);
    case '}':
        return push_new(m, BR_PICKLE_DICT, &value);
    case 't':
        return make_tuple(m, SIZE_MAX);
    case 0x85:
    case 0x86:
    case 0x87:
        return make_tuple(m, (size_t)(opcode - 0x84));
    case 'a':
        return fill_last(m, 1, BR_PICKLE_LIST);
    case 'e':
    case 0x90:
        return fill_above_mark(m, BR_PICKLE_LIST);
    case 's':
        return fill_last(m, 2, BR_PICKLE_DICT);
    case 'u':
        return fill_above_mark(m, BR_PICKLE_DICT);
    case 0x91:
        return frozen_set(m);
    default:
        *out_known = false;
        return NULL;
    }
}

static br_status run_other(machine *m, int opcode)
{
    switch (opcode) {
    case 0x80:
        return skip(m, 1);
    case 0x95:
        return skip(m, 8);
    case '(':
        return push(m, NULL);
    case '0':
        return pop_one(m);
    case '1':
        return pop_mark(m);
    case '2':
        return duplicate(m);
    case 'q':
        return memo_number(m, 1, true);
    case 'r':
        return memo_number(m, 4, true);
    case 0x94:
        return put_memo(m, m->memo_used);
    case 'h':
        return memo_number(m, 1, false);
    case 'j':
        return memo_number(m, 4, false);
    case 'c':
        return global_line(m);
    case 0x93:
        return stack_global(m);
    case 'R':
    case 0x81:
        return reduce(m);
    case 'b':
        return build(m);
    case 'Q':
        return persistent(m);
    default:
        return br_fail(BR_ERROR_UNSUPPORTED, "%s: the pickle has the opcode 0x%02x, which is not read", m->file, opcode);
    }
}

static br_status run(machine *m, const br_pickle_value **out_value)
{
    for (;;) {
        const uint8_t *opcode;
        BR_TRY(take(m, 1, &opcode));
        if (*opcode == '.') {
            br_pickle_value *value;
            BR_TRY(pop(m, &value));
            *out_value = value;
            return NULL;
        }
        bool known = true;
        BR_TRY(run_data(m, *opcode, &known));
        if (!known)
            BR_TRY(run_other(m, *opcode));
    }
}

br_status br_pickle_read(br_arena *arena, const uint8_t *bytes, size_t size, const char *file, const br_pickle_value **out_value)
{
    *out_value = NULL;
    if (size > PICKLE_MAX)
        return br_fail(BR_ERROR_FORMAT, "%s: a pickle of %zu bytes, expected at most %zu", file, size, PICKLE_MAX);
    machine m = {.arena = arena, .at = bytes, .end = bytes + size, .file = file};
    br_status status = run(&m, out_value);
    free(m.stack);
    free(m.memo);
    return status;
}

const br_pickle_value *br_pickle_get(const br_pickle_value *dict, const char *key)
{
    if (dict->type != BR_PICKLE_DICT && dict->type != BR_PICKLE_OBJECT)
        return NULL;
    for (size_t i = dict->count / 2; i > 0; i--) {
        const br_pickle_value *name = dict->items[2 * i - 2];
        if (name->type == BR_PICKLE_TEXT && strcmp(name->text, key) == 0)
            return dict->items[2 * i - 1];
    }
    return NULL;
}
