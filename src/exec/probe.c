#include "exec/probe.h"

#include <stdlib.h>

/* Strings are borrowed: the profile copies. */
static void fill_kernels(const br_program *program, br_prof_kernel *kernels)
{
    const br_graph *graph = program->graph;
    for (int i = 0; i < program->dispatch_count; i++) {
        const br_op_dispatch *dispatch = &program->dispatches[i];
        kernels[i] =
            (br_prof_kernel){.path = (char *)dispatch->name,
                             .op = (char *)br_op_name((br_op)graph->nodes[dispatch->node].op),
                             .shader = (char *)br_shaders[dispatch->shader].name,
                             .f16 = dispatch->operand_count > 0 && br_graph_dtype(graph, dispatch->operands[0].value) == BR_F16,
                             .flops = dispatch->flops,
                             .bytes = dispatch->bytes};
    }
}

/* From nodes to dispatches: the first of the node that makes a value, the last of the node that reads it last. */
static int fill_values(const br_program *program, br_prof_value *values)
{
    const br_graph *graph = program->graph;
    const br_plan *plan = &program->plan;
    int count = 0;
    for (br_value i = 0; i < plan->value_count; i++) {
        if (plan->offsets[i] < 0)
            continue;
        br_prof_value value = {.name = (char *)graph->values[i].name,
                               .offset = (uint64_t)plan->offsets[i],
                               .bytes = (uint64_t)br_graph_bytes(graph, i),
                               .first = -1,
                               .last = -1};
        for (int d = 0; d < program->dispatch_count; d++) {
            int node = program->dispatches[d].node;
            if (node >= plan->first[i] && value.first < 0)
                value.first = d;
            if (node <= plan->last[i])
                value.last = d;
        }
        if (value.first >= 0 && value.last >= value.first)
            values[count++] = value;
    }
    return count;
}

br_status br_probe_program(br_profile *profile, const br_program *program, int *out_index)
{
    br_status status = NULL;
    br_prof_program probe = {.name = (char *)program->name,
                             .kernel_count = program->dispatch_count,
                             .arena_bytes = (uint64_t)program->plan.arena_bytes,
                             .lower_bound_bytes = (uint64_t)program->plan.lower_bound_bytes,
                             .weight_bytes = program->weight_bytes};
    probe.kernels = calloc((size_t)program->dispatch_count + 1, sizeof *probe.kernels);
    probe.values = calloc((size_t)program->plan.value_count + 1, sizeof *probe.values);
    if (!probe.kernels || !probe.values)
        BR_FAIL_GOTO(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory for the profile of %s", program->name);
    fill_kernels(program, probe.kernels);
    probe.value_count = fill_values(program, probe.values);
    status = br_prof_add_program(profile, &probe, out_index);
fail:
    free(probe.kernels);
    free(probe.values);
    return status;
}
