/* What linear and conv2d share on the host: the choice of the tile and the specialization of shaders/common/gemm.glsl. */
#ifndef BR_OPS_GEMM_H
#define BR_OPS_GEMM_H

#include "ops/emit.h"

/* How one workgroup covers the output: threads / threads_n · rows rows and threads_n · columns columns. */
typedef struct br_gemm_tile {
    uint32_t threads;
    uint32_t threads_n;     /* of them along N */
    uint32_t rows, columns; /* outputs of an invocation */
    uint32_t quads;         /* of k a step */
    bool lanes;             /* the form for CPU devices, common/gemm_lanes.glsl */
} br_gemm_tile;

/* Whether this is a CPU device on which a workgroup of subgroup_size invocations is one subgroup whose lanes can read each other. */
bool br_gemm_has_lanes(const br_vk_caps *caps);
/* Whether an invocation has so few registers (Mali: 64) that a large tile spills. */
bool br_gemm_few_registers(const br_vk_caps *caps);
/* For m × n outputs. Fits every device that has 128 invocations and 16 KiB of shared memory. */
br_gemm_tile br_gemm_tile_choose(const br_vk_caps *caps, uint64_t m, uint64_t n);
/* The form for CPU devices loads eight halves at once where x or the matrix is stored in them and `multiples`, depth and all first elements or'ed together,
 * is a multiple of 8. */
void br_gemm_tile_widen(br_gemm_tile *tile, bool halves, uint64_t multiples);
uint32_t br_gemm_tile_m(br_gemm_tile tile);
uint32_t br_gemm_tile_n(br_gemm_tile tile);

/* RESIDUAL of shaders/common/gemm_spec.glsl. */
typedef enum br_gemm_residual {
    BR_GEMM_RESIDUAL_NONE,
    BR_GEMM_RESIDUAL_FULL,
    BR_GEMM_RESIDUAL_ROW,
    BR_GEMM_RESIDUAL_GATE,
} br_gemm_residual;

typedef struct br_gemm_epilogue {
    br_activation activation;
    bool bias;
    br_gemm_residual residual;
    bool geglu; /* takes the place of the activation */
} br_gemm_epilogue;

/* Fills the specialization constants of a dispatch. `vec`: depth and all first elements are multiples of 4. */
void br_gemm_specialize(br_op_dispatch *dispatch, br_gemm_tile tile, bool vec, br_gemm_epilogue epilogue);

/* An operand for a binding that the specialization leaves unread: bindings cannot be left out. */
br_operand br_gemm_unused(const br_emitter *emitter, br_value value);

/* The constructors' checks; each records an error in the graph and returns false when it does not hold. */
bool br_gemm_check_dtypes(br_graph *graph, const char *op, br_value x, br_value weight);
bool br_gemm_check_vector(br_graph *graph, const char *op, const char *role, br_value value, int64_t count);

#endif
