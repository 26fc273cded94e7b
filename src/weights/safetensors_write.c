#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "weights/safetensors.h"
#include "weights/weights_layout.h"

/* The reference implementation ends the header with spaces up to this. */
#define HEADER_ALIGNMENT 8

static json_t *describe(const br_tensor_view *tensor, uint64_t begin)
{
    json_t *shape = json_array();
    for (int i = 0; i < tensor->rank; i++)
        json_array_append_new(shape, json_integer(tensor->shape[i]));
    return json_pack("{s:s, s:o, s:[I, I]}", "dtype", br_weight_dtype_name(tensor->dtype), "shape", shape, "data_offsets",
                     (json_int_t)begin, (json_int_t)(begin + tensor->size));
}

static json_t *describe_metadata(const br_weights_plan *plan)
{
    json_t *metadata = json_object();
    for (int i = 0; i < plan->metadata_count; i++)
        if (plan->metadata[i].text)
            json_object_set_new(metadata, plan->metadata[i].key, json_string(plan->metadata[i].text));
    if (json_object_size(metadata) > 0)
        return metadata;
    json_decref(metadata);
    return NULL;
}

br_status br_safetensors_layout(const br_weights_plan *plan, const char *path, br_weights_layout *out_layout)
{
    out_layout->alignment = 1;
    br_status status = NULL;
    uint8_t length_field[8];
    char *text = NULL;
    uint64_t at = 0, length;
    json_t *root = json_object(), *metadata = describe_metadata(plan);
    if (metadata)
        json_object_set_new(root, "__metadata__", metadata);
    for (int i = 0; i < plan->count; i++) {
        if (json_object_set_new(root, plan->tensors[i].name, describe(&plan->tensors[i], at)))
            BR_FAIL_GOTO(BR_ERROR_OUT_OF_HOST_MEMORY, "%s: out of host memory for %d tensors", path, plan->count);
        at += plan->tensors[i].size;
    }
    text = json_dumps(root, JSON_COMPACT);
    if (!text)
        BR_FAIL_GOTO(BR_ERROR_OUT_OF_HOST_MEMORY, "%s: out of host memory for %d tensors", path, plan->count);
    length = (strlen(text) + HEADER_ALIGNMENT - 1) / HEADER_ALIGNMENT * HEADER_ALIGNMENT;
    for (int i = 0; i < 8; i++)
        length_field[i] = (uint8_t)(length >> 8 * i);
    BR_TRY_GOTO(br_weights_layout_put(out_layout, length_field, 8));
    BR_TRY_GOTO(br_weights_layout_put(out_layout, text, strlen(text)));
    BR_TRY_GOTO(br_weights_layout_put(out_layout, "       ", length - strlen(text)));
fail:
    free(text);
    json_decref(root);
    return status;
}
