#include "ops/emit.h"

#include <stdlib.h>
#include <string.h>

/* The X-macro table: names for people and one emitter an op. */
static const struct {
    const char *name;
    br_status (*emit)(br_emitter *emitter, const br_node *node);
} op_table[BR_OP_COUNT] = {
#define BR_OP(name) [BR_OP_##name] = {#name, br_emit_##name},
#include "ops/ops.def"
#undef BR_OP
};

const char *br_op_name(br_op op)
{
    return op >= 0 && op < BR_OP_COUNT ? op_table[op].name : "?";
}

void br_emitter_init(br_emitter *emitter, br_graph *graph, const br_vk_caps *caps)
{
    *emitter = (br_emitter){.graph = graph, .caps = caps};
}

void br_emitter_finish(br_emitter *emitter)
{
    free(emitter->dispatches);
    *emitter = (br_emitter){0};
}

br_status br_emitter_run(br_emitter *emitter)
{
    for (emitter->node = 0; emitter->node < emitter->graph->node_count; emitter->node++) {
        const br_node *node = &emitter->graph->nodes[emitter->node];
        BR_TRY(br_status_prefix(op_table[node->op].emit(emitter, node), "%s (%s)", node->name, br_op_name((br_op)node->op)));
    }
    return NULL;
}

static br_status check_limits(const br_emitter *emitter, const br_op_dispatch *dispatch)
{
    const br_vk_caps *caps = emitter->caps;
    for (int i = 0; i < 3; i++)
        if (dispatch->groups[i] < 1 || dispatch->groups[i] > caps->max_groups[i])
            return br_fail(BR_ERROR_UNSUPPORTED, "%u workgroups in dimension %d, the device takes 1 to %u", dispatch->groups[i], i,
                           caps->max_groups[i]);
    for (uint32_t i = 0; i < dispatch->operand_count; i++) {
        const br_operand *operand = &dispatch->operands[i];
        if (operand->size > caps->max_storage_range)
            return br_fail(BR_ERROR_UNSUPPORTED, "operand %u spans %llu bytes, the device binds at most %llu", i,
                           (unsigned long long)operand->size, (unsigned long long)caps->max_storage_range);
        if (operand->offset % caps->storage_alignment)
            return br_fail(BR_ERROR_UNSUPPORTED, "operand %u starts at byte %llu, the device wants multiples of %llu", i,
                           (unsigned long long)operand->offset, (unsigned long long)caps->storage_alignment);
        uint64_t bytes = (uint64_t)br_graph_bytes(emitter->graph, operand->value);
        if (operand->offset + operand->size > bytes)
            return br_fail(BR_ERROR_UNSUPPORTED, "operand %u ends at byte %llu of %llu", i,
                           (unsigned long long)(operand->offset + operand->size), (unsigned long long)bytes);
    }
    return NULL;
}

br_status br_emit_dispatch(br_emitter *emitter, const br_op_dispatch *dispatch)
{
    BR_TRY(check_limits(emitter, dispatch));
    if (emitter->count == emitter->capacity) {
        int capacity = emitter->capacity ? 2 * emitter->capacity : 256;
        br_op_dispatch *dispatches = realloc(emitter->dispatches, (size_t)capacity * sizeof *dispatches);
        if (!dispatches)
            return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory after %d dispatches", emitter->count);
        emitter->dispatches = dispatches;
        emitter->capacity = capacity;
    }
    br_op_dispatch *added = &emitter->dispatches[emitter->count++];
    *added = *dispatch;
    added->node = emitter->node;
    added->name = emitter->graph->nodes[emitter->node].name;
    for (uint32_t i = 0; !dispatch->bytes && i < added->operand_count; i++)
        added->bytes += added->operands[i].size * (added->operands[i].access == BR_VK_READ_WRITE ? 2 : 1);
    return NULL;
}

br_status br_emit_scratch(br_emitter *emitter, const char *name, br_dtype dtype, br_shape shape, br_value *out_value)
{
    const br_node *node = &emitter->graph->nodes[emitter->node];
    BR_TRY(br_graph_add_output(emitter->graph, emitter->node, name, dtype, shape));
    *out_value = node->outputs[node->output_count - 1];
    return NULL;
}

br_operand br_emit_whole(const br_emitter *emitter, br_value value, br_vk_access access)
{
    return (br_operand){.value = value, .size = (uint64_t)br_graph_bytes(emitter->graph, value), .access = access};
}

void br_emit_fold(const br_emitter *emitter, uint64_t total, uint32_t out_groups[3])
{
    uint64_t width = emitter->caps->max_groups[0];
    if (total <= width) {
        out_groups[0] = (uint32_t)total;
        out_groups[1] = 1;
    } else {
        /* Near-square, so that little is wasted in the last row. */
        uint64_t rows = (total + width - 1) / width;
        out_groups[0] = (uint32_t)((total + rows - 1) / rows);
        out_groups[1] = (uint32_t)rows;
    }
    out_groups[2] = 1;
}
