#include "ops/step.h"

#include "common/abi.h"

static br_shape step_shape(void)
{
    return br_shape_of(sizeof(br_step) / 4);
}

br_value br_graph_step(br_graph *graph)
{
    return br_graph_input(graph, "step", BR_I32, step_shape());
}

bool br_step_check(br_graph *graph, const char *name, br_value step)
{
    br_shape shape = br_graph_shape(graph, step);
    br_dtype dtype = br_graph_dtype(graph, step);
    if (dtype == BR_I32 && br_shape_equal(shape, step_shape()))
        return true;
    br_graph_fail(graph, BR_ERROR_ARGUMENT, "%s: step is %s %s, expected i32 %s", name, br_dtype_name(dtype),
                  br_shape_format(shape).text, br_shape_format(step_shape()).text);
    return false;
}

bool br_step_check_f32(br_graph *graph, const char *name, const char *role, br_value value, br_shape expected)
{
    br_shape shape = br_graph_shape(graph, value);
    br_dtype dtype = br_graph_dtype(graph, value);
    if (dtype == BR_F32 && br_shape_equal(shape, expected))
        return true;
    br_graph_fail(graph, BR_ERROR_ARGUMENT, "%s: %s is %s %s, expected f32 %s", name, role, br_dtype_name(dtype),
                  br_shape_format(shape).text, br_shape_format(expected).text);
    return false;
}
