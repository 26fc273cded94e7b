#include "ops/elementwise.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#define GROUP_SIZE 256
/* Measured on lavapipe and SwiftShader: group_norm takes 4 and 8 times the processor time with 256. */
#define CPU_REDUCTION_SIZE 16

uint32_t br_elementwise_group_size(const br_emitter *emitter)
{
    const br_vk_caps *caps = emitter->caps;
    uint32_t most = caps->max_invocations < caps->max_group_size[0] ? caps->max_invocations : caps->max_group_size[0];
    uint32_t size = 1;
    while (size * 2 <= GROUP_SIZE && size * 2 <= most)
        size *= 2;
    return size;
}

uint32_t br_elementwise_reduction_size(const br_emitter *emitter)
{
    return emitter->caps->type == VK_PHYSICAL_DEVICE_TYPE_CPU ? CPU_REDUCTION_SIZE : br_elementwise_group_size(emitter);
}

uint32_t br_elementwise_vector(const br_slice *pieces, int count, uint64_t row)
{
    uint64_t odd = row % 4;
    for (int i = 0; i < count; i++)
        odd |= pieces[i].skip % 4;
    return odd ? 1 : 4;
}

br_status br_elementwise_emit(br_emitter *emitter, const br_elementwise_params *params)
{
    br_op_dispatch dispatch = {
        .shader = params->shader,
        .spec_count = 2 + params->spec_count,
        .push_size = params->push_size,
        .operand_count = (uint32_t)params->piece_count,
        .flops = params->flops,
    };
    assert(params->push_size <= sizeof dispatch.push && params->spec_count <= sizeof params->spec / sizeof params->spec[0]);
    uint32_t size = params->group_size ? params->group_size : br_elementwise_group_size(emitter);
    dispatch.spec[0] = size;
    dispatch.spec[1] = params->vector;
    memcpy(dispatch.spec + 2, params->spec, params->spec_count * sizeof params->spec[0]);
    memcpy(dispatch.push, params->push, params->push_size);
    for (int i = 0; i < params->piece_count; i++)
        dispatch.operands[i] = params->pieces[i].operand;
    br_emit_fold(emitter, (params->items + size - 1) / size, dispatch.groups);
    return br_emit_dispatch(emitter, &dispatch);
}

bool br_elementwise_check(br_graph *graph, const char *name, const char *role, br_value value)
{
    br_dtype dtype = br_graph_dtype(graph, value);
    if (dtype == BR_F32 || dtype == BR_F16)
        return true;
    br_graph_fail(graph, BR_ERROR_ARGUMENT, "%s: %s is %s, expected f32 or f16", name, role, br_dtype_name(dtype));
    return false;
}

bool br_elementwise_check_vector(br_graph *graph, const char *name, const char *role, br_value value, int64_t count)
{
    br_shape shape = br_graph_shape(graph, value);
    br_dtype dtype = br_graph_dtype(graph, value);
    if (dtype == BR_F32 && shape.rank == 1 && shape.dim[0] == count)
        return true;
    br_graph_fail(graph, BR_ERROR_ARGUMENT, "%s: %s is %s %s, expected f32 [%" PRId64 "]", name, role, br_dtype_name(dtype),
                  br_shape_format(shape).text, count);
    return false;
}
