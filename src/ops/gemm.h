/* What linear and conv2d share on the host: the choice of the tile and the specialization of shaders/common/gemm.glsl. */
#ifndef BR_OPS_GEMM_H
#define BR_OPS_GEMM_H

#include "ops/emit.h"

/* The tile loops, shaders/common/gemm*.glsl. */
typedef enum br_gemm_form {
    BR_GEMM_TILES,
    BR_GEMM_LANES,     /* for CPU devices */
    BR_GEMM_BROADCAST, /* for GPUs without memory of their own to share */
    BR_GEMM_MATRIX,    /* by matrix units */
    BR_GEMM_FORMS
} br_gemm_form;

/* How one workgroup covers the output: threads / threads_n · rows rows and threads_n · columns columns. */
typedef struct br_gemm_tile {
    uint32_t threads;
    uint32_t threads_n;     /* of them along N */
    uint32_t rows, columns; /* outputs of an invocation */
    uint32_t quads;         /* of k a step */
    br_gemm_form form;
    bool packed;    /* br_gemm_mixes_f16; PACKED of common/gemm_spec.glsl */
    uint32_t parts; /* that the depth is divided into, 1 at least; a workgroup each */
    /* Of BR_GEMM_MATRIX: threads_n counts subgroups, rows and columns matrices of a subgroup. */
    br_vk_matrix_shape shape;
    uint32_t subgroup, stages;
    bool subgroup_asked; /* its size is not the only one */
} br_gemm_tile;

/* Whether this is a CPU device on which a workgroup of subgroup_size invocations is one subgroup whose lanes can read each other. */
bool br_gemm_has_lanes(const br_vk_caps *caps);
/* Whether that device's compiler takes loops as they are (SwiftShader): there forms that were written out beforehand, for subgroups of 4, are several times faster. */
bool br_gemm_unrolls(const br_vk_caps *caps);
/* Whether an invocation has so few registers (Mali: 64) that a large tile spills, or the driver takes many times as long to compile one (PowerVR). */
bool br_gemm_wants_small_tiles(const br_vk_caps *caps);
/* Whether a multiply-add takes numbers of 16 bits as they are (v_fma_mix_f32; Apple's operands of 16 bits), so that nothing is spent on unpacking what takes half of
 * the shared memory and of its reads. Elsewhere a conversion is an instruction, or a slow one. AMD's chips with matrix units (RDNA 3) do two v_fmac_f32 at a time,
 * but no two v_fma_mix_f32; those before RDNA have no such instruction, or one that needs more registers. */
bool br_gemm_mixes_f16(const br_vk_caps *caps);
/* Whether workgroups have no memory of their own to share, so that BR_GEMM_BROADCAST suits. */
bool br_gemm_broadcasts(const br_vk_caps *caps);
/* For m × n outputs. Fits every device that has 128 invocations and 16 KiB of shared memory. `depth`: the products of each, which may be divided; 0 where
 * they may not. */
br_gemm_tile br_gemm_tile_choose(const br_vk_caps *caps, uint64_t m, uint64_t n, uint64_t depth);
/* The form for CPU devices loads eight halves at once where x or the matrix is stored in them and `multiples`, depth and all first elements or'ed together,
 * is a multiple of 8. */
void br_gemm_tile_widen(br_gemm_tile *tile, bool halves, uint64_t multiples);
/* Likewise for the matrix units, with which x and the matrix are f16; *out_tile has an even number of columns. False: the device has none, none that suit, or none
 * that are to be used for this kind of shape: as measured, or as believed of the driver. */
bool br_gemm_tile_choose_matrix(const br_vk_caps *caps, uint64_t m, uint64_t n, uint64_t depth, br_gemm_tile *out_tile);
/* What is measured apart, by how many workgroups of the large and of the medium tile the output gives; and the tiles that are tried for each, "64x64". */
typedef enum br_gemm_shape { BR_GEMM_SHAPE_LARGE, BR_GEMM_SHAPE_MEDIUM, BR_GEMM_SHAPE_SMALL } br_gemm_shape;
/* False: nothing is chosen by measuring there, as on CPU devices, on Mali and PowerVR and for very narrow outputs. */
bool br_gemm_shape_of(const br_vk_caps *caps, uint64_t m, uint64_t n, br_gemm_shape *out_shape);
#define BR_GEMM_TILE_COUNT 3
const char *br_gemm_tile_name(int index);
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

/* Bits of FLAGS of shaders/common/gemm_spec.glsl that an op knows of. */
#define BR_GEMM_VEC_LOAD 1  /* depth and all first elements of x and w are multiples of 4 */
#define BR_GEMM_VEC_STORE 2 /* N and all first elements of y, bias and residual are */
/* WHOLE_DEPTH there, of BR_GEMM_MATRIX and BR_GEMM_BROADCAST: depth is a multiple of a step. `multiples`: depth and all first elements of x and w or'ed together. */
uint32_t br_gemm_depth_flag(br_gemm_tile tile, uint64_t depth, uint64_t multiples);

/* Fills the specialization constants of a dispatch, and its size of subgroups. Those that an op adds follow. */
void br_gemm_specialize(br_op_dispatch *dispatch, br_gemm_tile tile, uint32_t flags, br_gemm_epilogue epilogue);

/* The bindings of linear.h and conv2d.h. */
enum { BR_GEMM_X, BR_GEMM_W, BR_GEMM_Y, BR_GEMM_BIAS, BR_GEMM_RESIDUAL };

/* The layer norm of what a product in parts makes, by the dispatch that adds them up: shaders/common/parts_norm.glsl. */
typedef struct br_gemm_norm {
    br_shader_id shader;
    br_operand gamma, beta, y;
} br_gemm_norm;
/* Whether a tile in parts, with these flags, can have one for rows of n. */
bool br_gemm_takes_norm(const br_vk_caps *caps, br_gemm_tile tile, uint32_t flags, uint64_t n);

typedef struct br_gemm_launch {
    br_gemm_tile tile;
    uint32_t flags;
    br_gemm_epilogue epilogue;
    uint64_t m, n;                   /* outputs of the dispatch */
    uint32_t op_spec_count, op_spec; /* the constant that an op adds, or none */
    br_shader_id parts;              /* the second stage */
    const br_gemm_norm *norm;        /* or NULL */
    const br_shader_id *unrolled;    /* for br_gemm_unrolls and the same types: without an activation and with GEGLU; or NULL */
} br_gemm_launch;

/* Specializes and emits a dispatch whose push constants begin with the number of its workgroups; where the tile has parts, that of one part, and then
 * the dispatch that adds the parts up. */
BR_MUST_CHECK br_status br_gemm_emit(br_emitter *emitter, const br_op_dispatch *dispatch, const br_gemm_launch *launch);

/* Whether workgroups of the tile are so few, and their rows of x so short, that they norm x themselves (shaders/common/gemm_norm.glsl) in less time than a dispatch
 * of its own takes. */
bool br_gemm_norms_x(const br_vk_caps *caps, br_gemm_tile tile, uint64_t m, uint64_t n, uint64_t depth);

/* An operand for a binding that the specialization leaves unread: bindings cannot be left out. */
br_operand br_gemm_unused(const br_emitter *emitter, br_value value);

/* The constructors' checks; each records an error in the graph and returns false when it does not hold. */
bool br_gemm_check_dtypes(br_graph *graph, const char *op, br_value x, br_value weight);
bool br_gemm_check_vector(br_graph *graph, const char *op, const char *role, br_value value, int64_t count);

#endif
