/* Which tensors of a model a conversion writes, and as what. */
#ifndef BR_PIPELINE_CONVERT_TYPES_H
#define BR_PIPELINE_CONVERT_TYPES_H

#include "brume/convert.h"
#include "weights/weights_writer.h"

/* False for what no model reads: EMA copies, noise schedules and counters of the training, position ids. */
bool br_convert_keeps(const char *name);

/* Whether `pattern` (br_convert_rule) is somewhere in `name`. */
bool br_convert_matches(const char *pattern, const char *name);

/* As br_convert_type_list. */
const char *br_convert_type_name(int index);
/* False when there is none of this name. */
bool br_convert_type_named(const char *name, br_weight_dtype *out_dtype);

typedef struct br_convert_choice {
    br_weight_dtype dtype;
    bool fallback; /* q8_0 in place of a K type */
} br_convert_choice;

/* `params->type` and the rules' are known to be valid. Errors: BR_ERROR_UNSUPPORTED when the format has nothing for the tensor's type. */
BR_MUST_CHECK br_status br_convert_choose(const br_convert_params *params, br_weights_format format, const br_tensor_view *tensor,
                                          br_convert_choice *out_choice);

#endif
