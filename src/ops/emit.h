/* How a node becomes dispatches. An emitter looks at shapes and at the device's capabilities, picks a shader variant and its specialization,
 * and appends dispatches to the list; it allocates nothing on the device and calls nothing of Vulkan. */
#ifndef BR_OPS_EMIT_H
#define BR_OPS_EMIT_H

#include "br_shaders.h"
#include "ops/op.h"
#include "vk/device.h"
#include "vk/pipeline.h"
#include "vk/recorder.h"

/* A range of a value's storage. Offset is a multiple of caps->storage_alignment, size at most caps->max_storage_range. */
typedef struct br_operand {
    br_value value;
    uint64_t offset, size; /* bytes */
    br_vk_access access;
} br_operand;

typedef struct br_op_dispatch {
    const char *name; /* of the node; owned by the graph */
    int node;         /* index in the graph */
    br_shader_id shader;
    uint32_t spec_count, spec[BR_VK_SPEC_MAX];
    uint32_t subgroup_size; /* 0: the driver's choice; else all subgroups have this size and are full */
    uint32_t push_size;
    uint8_t push[128];
    uint32_t operand_count; /* bindings 0 .. operand_count - 1 */
    br_operand operands[BR_VK_BINDING_MAX];
    uint32_t groups[3];
    uint64_t flops; /* multiplications and additions */
    uint64_t bytes; /* read and written; 0 when given: each operand once */
} br_op_dispatch;

typedef struct br_emitter {
    br_graph *graph;            /* borrowed; ops add scratch values to it */
    const br_vk_caps *caps;     /* borrowed */
    br_op_dispatch *dispatches; /* owned */
    int count, capacity;
    int node; /* the one being emitted */
} br_emitter;

void br_emitter_init(br_emitter *emitter, br_graph *graph, const br_vk_caps *caps);
void br_emitter_finish(br_emitter *emitter);
/* All nodes in order; once for a graph. Storage is planned afterwards, with the scratch values that the device's forms of the ops asked for. Errors: BR_ERROR_UNSUPPORTED naming the node when a device's limits cannot take it. */
BR_MUST_CHECK br_status br_emitter_run(br_emitter *emitter);

/* Called by the ops: appends a copy of `dispatch` (name and node are filled in, so are bytes unless given, limits checked). */
BR_MUST_CHECK br_status br_emit_dispatch(br_emitter *emitter, const br_op_dispatch *dispatch);
/* Called by the ops: a value that only this node's dispatches use, or those of later nodes that name it among their inputs. */
BR_MUST_CHECK br_status br_emit_scratch(br_emitter *emitter, const char *name, br_dtype dtype, br_shape shape, br_value *out_value);
/* The whole storage of a value. */
br_operand br_emit_whole(const br_emitter *emitter, br_value value, br_vk_access access);
/* Folds `total` workgroups into x and y so that neither passes the device's limit; shaders compute index = x + y · gl_NumWorkGroups.x and return
 * when it is >= total. */
void br_emit_fold(const br_emitter *emitter, uint64_t total, uint32_t out_groups[3]);

/* One emitter an op. */
#define BR_OP(name) BR_MUST_CHECK br_status br_emit_##name(br_emitter *emitter, const br_node *node);
#include "ops/ops.def"
#undef BR_OP

#endif
