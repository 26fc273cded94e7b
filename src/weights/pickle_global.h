/* The classes and functions that pickle.c knows by name. */
#ifndef BR_WEIGHTS_PICKLE_GLOBAL_H
#define BR_WEIGHTS_PICKLE_GLOBAL_H

#include "weights/pickle.h"

typedef struct br_pickle_call {
    br_arena *arena;
    const char *file;
    const br_pickle_value *callable, *args;
} br_pickle_call;

/* False for a name that is not let in. */
bool br_pickle_global_find(const char *module, const char *name, int *out_which);
/* What the call makes: *value is an empty object, which stays for callables without meaning here. */
BR_MUST_CHECK br_status br_pickle_global_call(const br_pickle_call *call, br_pickle_value **value);
/* torch.save's persistent id ("storage", class, key, place, elements) into *out_storage. */
BR_MUST_CHECK br_status br_pickle_storage(const char *file, const br_pickle_value *id, br_pickle_value *out_storage);

#endif
