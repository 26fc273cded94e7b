#include "brume/convert.h"

#include "pipeline/convert.h"
#include "pipeline/convert_types.h"

br_status br_convert(const br_convert_params *params, br_convert_result *out_result)
{
    return br_conversion_run(params, out_result);
}

const char *br_convert_type_list(int index)
{
    return br_convert_type_name(index);
}
