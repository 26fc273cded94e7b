/* What ops share whose shaders run one invocation an item (shaders/common/elementwise.glsl): an item is one element, or four neighbours. */
#ifndef BR_OPS_ELEMENTWISE_H
#define BR_OPS_ELEMENTWISE_H

#include "ops/slice.h"

/* Invocations a workgroup: 256, or the largest power of two below that the device takes. Enough to hide latency, few enough for every device
 * (PORTABILITY rule 1). */
uint32_t br_elementwise_group_size(const br_emitter *emitter);
/* The same for shaders with barriers: 16 on a CPU device, where a barrier suspends and resumes every SIMD group of the workgroup. */
uint32_t br_elementwise_reduction_size(const br_emitter *emitter);
/* 4 when every skip and `row` (elements that are contiguous in all operands) are multiples of 4, else 1. */
uint32_t br_elementwise_vector(const br_slice *pieces, int count, uint64_t row);

typedef struct br_elementwise_params {
    br_shader_id shader;
    const br_slice *pieces; /* binding i is pieces[i]; valid during the call */
    int piece_count;
    const void *push; /* its first member is the number of items */
    uint32_t push_size;
    uint64_t items;
    uint32_t group_size;          /* invocations a workgroup; 0: br_elementwise_group_size */
    uint32_t vector;              /* elements an item: 1 or 4; specialization constant 1 */
    uint32_t spec_count, spec[8]; /* constants 2, 3, ... */
    uint64_t flops;
} br_elementwise_params;

/* Specialization constant 0 is the size of the workgroup; the grid is folded. */
BR_MUST_CHECK br_status br_elementwise_emit(br_emitter *emitter, const br_elementwise_params *params);

/* Constructors' check: `value` is an activation (f32 or f16). Records an error for `role` ("x") of the node otherwise. */
bool br_elementwise_check(br_graph *graph, const char *name, const char *role, br_value value);
/* The same for a vector: f32 [count]. */
bool br_elementwise_check_vector(br_graph *graph, const char *name, const char *role, br_value value, int64_t count);

#endif
