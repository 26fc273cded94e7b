/* Pickles (Python's Lib/pickletools.py, protocols 2 to 5) as torch.save writes them, read as data: nothing in them is ever run. Values are built of what the
 * opcodes say; of the classes and functions that a pickle names, those that make tensors are understood, some that files of models are known to
 * carry become empty objects, and any other is refused by name. */
#ifndef BR_WEIGHTS_PICKLE_H
#define BR_WEIGHTS_PICKLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"
#include "weights/weights.h"

typedef enum br_pickle_type {
    BR_PICKLE_NONE,
    BR_PICKLE_BOOL,
    BR_PICKLE_INT,
    BR_PICKLE_FLOAT,
    BR_PICKLE_TEXT,
    BR_PICKLE_LIST, /* also tuples and sets */
    BR_PICKLE_DICT,
    BR_PICKLE_GLOBAL,  /* a class or function by its name */
    BR_PICKLE_STORAGE, /* bytes that stand elsewhere, by their key */
    BR_PICKLE_TENSOR,
    BR_PICKLE_OBJECT, /* something without meaning here; `items` hold the dict of its attributes, if any */
} br_pickle_type;

typedef struct br_pickle_value br_pickle_value;

/* All in the arena. */
typedef struct br_pickle_tensor {
    const br_pickle_value *storage;
    br_weight_dtype dtype;
    int rank;
    int64_t offset; /* elements */
    int64_t shape[BR_WEIGHT_RANK_MAX], stride[BR_WEIGHT_RANK_MAX];
} br_pickle_tensor;

struct br_pickle_value {
    br_pickle_type type;
    int which;        /* BR_PICKLE_GLOBAL: private to pickle.c; BR_PICKLE_STORAGE: its br_weight_dtype, or -1 for bytes */
    int64_t number;   /* integers (those beyond 64 bits are cut), booleans, the elements of a storage */
    double real;      /* floats */
    const char *text; /* texts, the name of a global, the key of a storage; not more than the first NUL of it */
    br_pickle_value *
        *items; /* lists; dicts: key, value, key, value, …, a later pair taking the place of an earlier one of the same key */
    size_t count, capacity; /* of items */
    br_pickle_tensor *tensor;
};

/* `file` names the bytes in messages. Values live as long as `arena` and `bytes`. Errors: BR_ERROR_FORMAT for a pickle that is none,
 * BR_ERROR_UNSUPPORTED naming the opcode, or the class or function, that is not read. */
BR_MUST_CHECK br_status br_pickle_read(br_arena *arena, const uint8_t *bytes, size_t size, const char *file,
                                       const br_pickle_value **out_value);
/* The value of a text key, the last of them; NULL when there is none or `dict` is not a dict. */
const br_pickle_value *br_pickle_get(const br_pickle_value *dict, const char *key);

#endif
