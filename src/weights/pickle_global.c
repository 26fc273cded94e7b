#include "weights/pickle_global.h"

#include <string.h>

/* `which` of a global: a storage class or dtype of type t is WHICH_DTYPE + t. */
enum {
    WHICH_INERT, /* an object that nobody looks into */
    WHICH_DICT,  /* OrderedDict() */
    WHICH_LIST,
    WHICH_TENSOR,    /* storage, offset, size, stride, … */
    WHICH_TENSOR_V3, /* …, dtype: the storage is bytes */
    WHICH_PARAMETER, /* tensor, … */
    WHICH_SUBCLASS,  /* function, class, arguments, state */
    WHICH_BYTES,     /* UntypedStorage */
    WHICH_DTYPE,
};

static const struct {
    const char *module, *name;
    int which;
} globals[] = {
    {"torch._utils", "_rebuild_tensor", WHICH_TENSOR},
    {"torch._utils", "_rebuild_tensor_v2", WHICH_TENSOR},
    {"torch._utils", "_rebuild_tensor_v3", WHICH_TENSOR_V3},
    {"torch._utils", "_rebuild_parameter", WHICH_PARAMETER},
    {"torch._utils", "_rebuild_parameter_with_state", WHICH_PARAMETER},
    {"torch._tensor", "_rebuild_from_type_v2", WHICH_SUBCLASS},
    {"torch.nn.parameter", "Parameter", WHICH_PARAMETER},
    {"collections", "OrderedDict", WHICH_DICT},
    {"collections", "defaultdict", WHICH_DICT},
    {"builtins", "dict", WHICH_DICT},
    {"builtins", "list", WHICH_LIST},
    {"builtins", "set", WHICH_LIST},
    {"__builtin__", "dict", WHICH_DICT},
    {"__builtin__", "list", WHICH_LIST},
    {"__builtin__", "set", WHICH_LIST},
    {"torch.storage", "UntypedStorage", WHICH_BYTES},
    {"torch", "UntypedStorage", WHICH_BYTES},
    {"torch", "DoubleStorage", WHICH_DTYPE + BR_WEIGHT_F64},
    {"torch", "FloatStorage", WHICH_DTYPE + BR_WEIGHT_F32},
    {"torch", "HalfStorage", WHICH_DTYPE + BR_WEIGHT_F16},
    {"torch", "BFloat16Storage", WHICH_DTYPE + BR_WEIGHT_BF16},
    {"torch", "LongStorage", WHICH_DTYPE + BR_WEIGHT_I64},
    {"torch", "IntStorage", WHICH_DTYPE + BR_WEIGHT_I32},
    {"torch", "ShortStorage", WHICH_DTYPE + BR_WEIGHT_I16},
    {"torch", "CharStorage", WHICH_DTYPE + BR_WEIGHT_I8},
    {"torch", "ByteStorage", WHICH_DTYPE + BR_WEIGHT_U8},
    {"torch", "BoolStorage", WHICH_DTYPE + BR_WEIGHT_BOOL},
    {"torch", "float64", WHICH_DTYPE + BR_WEIGHT_F64},
    {"torch", "float32", WHICH_DTYPE + BR_WEIGHT_F32},
    {"torch", "float16", WHICH_DTYPE + BR_WEIGHT_F16},
    {"torch", "bfloat16", WHICH_DTYPE + BR_WEIGHT_BF16},
    {"torch", "float8_e4m3fn", WHICH_DTYPE + BR_WEIGHT_F8_E4M3},
    {"torch", "float8_e5m2", WHICH_DTYPE + BR_WEIGHT_F8_E5M2},
    {"torch", "int64", WHICH_DTYPE + BR_WEIGHT_I64},
    {"torch", "int32", WHICH_DTYPE + BR_WEIGHT_I32},
    {"torch", "uint16", WHICH_DTYPE + BR_WEIGHT_U16},
    {"torch", "uint32", WHICH_DTYPE + BR_WEIGHT_U32},
    {"torch", "uint64", WHICH_DTYPE + BR_WEIGHT_U64},
    /* What training leaves beside the weights: numbers of numpy, names of devices, counters, settings. */
    {"torch", "Tensor", WHICH_INERT},
    {"torch", "Size", WHICH_INERT},
    {"torch", "device", WHICH_INERT},
    {"torch.nn.modules.container", "ParameterDict", WHICH_INERT},
    {"numpy", "dtype", WHICH_INERT},
    {"numpy", "ndarray", WHICH_INERT},
    {"numpy.core.multiarray", "scalar", WHICH_INERT},
    {"numpy.core.multiarray", "_reconstruct", WHICH_INERT},
    {"numpy._core.multiarray", "scalar", WHICH_INERT},
    {"numpy._core.multiarray", "_reconstruct", WHICH_INERT},
    {"_codecs", "encode", WHICH_INERT},
    {"typing", "Any", WHICH_INERT},
    {"argparse", "Namespace", WHICH_INERT},
    {"collections", "Counter", WHICH_INERT},
    {"pathlib", "PosixPath", WHICH_INERT},
    {"pathlib", "WindowsPath", WHICH_INERT},
    {"builtins", "int", WHICH_INERT},
    {"builtins", "float", WHICH_INERT},
    {"builtins", "str", WHICH_INERT},
    {"builtins", "object", WHICH_INERT},
    {"__builtin__", "object", WHICH_INERT},
    {"copy_reg", "_reconstructor", WHICH_INERT},
    {"copyreg", "_reconstructor", WHICH_INERT},
};

/* Packages whose objects are the trainer's business. */
static const char *const inert_packages[] = {"pytorch_lightning.", "lightning.", "lightning_fabric.", "omegaconf.", "torch.optim."};

bool br_pickle_global_find(const char *module, const char *name, int *out_which)
{
    *out_which = WHICH_INERT;
    for (size_t i = 0; i < sizeof globals / sizeof globals[0]; i++)
        if (strcmp(module, globals[i].module) == 0 && strcmp(name, globals[i].name) == 0) {
            *out_which = globals[i].which;
            return true;
        }
    for (size_t i = 0; i < sizeof inert_packages / sizeof inert_packages[0]; i++)
        if (strncmp(module, inert_packages[i], strlen(inert_packages[i])) == 0)
            return true;
    return false;
}

static br_status bad_tensor(const char *file)
{
    return br_fail(BR_ERROR_FORMAT, "%s: the pickle is broken: a tensor is not described as torch does", file);
}

static const br_pickle_value *argument(const br_pickle_value *args, size_t index, br_pickle_type type)
{
    return index < args->count && args->items[index]->type == type ? args->items[index] : NULL;
}

static bool read_numbers(const br_pickle_value *list, int64_t *out_numbers)
{
    for (size_t i = 0; i < list->count; i++) {
        if (list->items[i]->type != BR_PICKLE_INT || list->items[i]->number < 0)
            return false;
        out_numbers[i] = list->items[i]->number;
    }
    return true;
}

static br_status make_tensor(const br_pickle_call *call, bool typed, br_pickle_value *value)
{
    const br_pickle_value *args = call->args, *storage = argument(args, 0, BR_PICKLE_STORAGE);
    const br_pickle_value *offset = argument(args, 1, BR_PICKLE_INT), *size = argument(args, 2, BR_PICKLE_LIST);
    const br_pickle_value *stride = argument(args, 3, BR_PICKLE_LIST);
    const br_pickle_value *dtype = argument(args, 6, BR_PICKLE_GLOBAL);
    if (!storage || !offset || offset->number < 0 || !size || !stride || size->count != stride->count)
        return bad_tensor(call->file);
    if (size->count > BR_WEIGHT_RANK_MAX)
        return br_fail(BR_ERROR_UNSUPPORTED, "%s: a tensor of %zu dimensions, expected at most %d", call->file, size->count,
                       BR_WEIGHT_RANK_MAX);
    int type = typed ? storage->which : dtype ? dtype->which - WHICH_DTYPE : -1;
    br_pickle_tensor *tensor = br_arena_alloc(call->arena, sizeof *tensor);
    if (!tensor)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "%s: out of host memory", call->file);
    if (type < 0 || !read_numbers(size, tensor->shape) || !read_numbers(stride, tensor->stride))
        return bad_tensor(call->file);
    tensor->storage = storage;
    tensor->offset = offset->number;
    tensor->dtype = (br_weight_dtype)type;
    tensor->rank = (int)size->count;
    value->type = BR_PICKLE_TENSOR;
    value->tensor = tensor;
    return NULL;
}

br_status br_pickle_global_call(const br_pickle_call *call, br_pickle_value **value)
{
    const br_pickle_value *function, *inner;
    switch (call->callable->which) {
    case WHICH_DICT: /* what a subclass of dict is called with says nothing about its items */
        (*value)->type = BR_PICKLE_DICT;
        return NULL;
    case WHICH_LIST:
        (*value)->type = BR_PICKLE_LIST;
        return NULL;
    case WHICH_TENSOR:
        return make_tensor(call, true, *value);
    case WHICH_TENSOR_V3:
        return make_tensor(call, false, *value);
    case WHICH_PARAMETER:
        if (call->args->count && call->args->items[0]->type == BR_PICKLE_TENSOR)
            *value = call->args->items[0];
        return NULL;
    case WHICH_SUBCLASS:
        function = argument(call->args, 0, BR_PICKLE_GLOBAL);
        inner = argument(call->args, 2, BR_PICKLE_LIST);
        if (!function || !inner || function->which == WHICH_SUBCLASS)
            return bad_tensor(call->file);
        return br_pickle_global_call(
            &(br_pickle_call){.arena = call->arena, .file = call->file, .callable = function, .args = inner}, value);
    default:
        return NULL;
    }
}

br_status br_pickle_storage(const char *file, const br_pickle_value *id, br_pickle_value *out_storage)
{
    const br_pickle_value *kind = id->type == BR_PICKLE_LIST ? argument(id, 0, BR_PICKLE_TEXT) : NULL;
    if (!kind || strcmp(kind->text, "storage") != 0)
        return bad_tensor(file);
    const br_pickle_value *type = argument(id, 1, BR_PICKLE_GLOBAL), *key = argument(id, 2, BR_PICKLE_TEXT);
    const br_pickle_value *count = argument(id, 4, BR_PICKLE_INT);
    if (!type || !key || !count || count->number < 0 || (type->which < WHICH_DTYPE && type->which != WHICH_BYTES))
        return bad_tensor(file);
    out_storage->which = type->which == WHICH_BYTES ? -1 : type->which - WHICH_DTYPE;
    out_storage->text = key->text;
    out_storage->number = count->number;
    return NULL;
}
