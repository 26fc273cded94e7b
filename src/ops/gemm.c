#include "ops/gemm.h"

#include <assert.h>
#include <string.h>

#include "ops/linear.h"
#include "ops/norm.h"
#include "ops/slice.h"
#include "vk/vendor.h"

/* The kinds of shaders/common/activation.glsl. */
static_assert(BR_ACTIVATION_SILU == 1 && BR_ACTIVATION_GELU == 2 && BR_ACTIVATION_GELU_TANH == 3 && BR_ACTIVATION_QUICK_GELU == 4 &&
                  BR_ACTIVATION_RELU == 5 && BR_ACTIVATION_TANH == 6,
              "activation.glsl counts differently");
/* GEMM_ACT_GEGLU of shaders/common/gemm_spec.glsl, the next one, and a bit of its FLAGS. */
#define ACT_GEGLU (BR_ACTIVATION_TANH + 1)
#define FLAG_PACKED 4u
#define FLAG_SPLIT 8u
#define FLAG_WHOLE 16u
#define FLAG_WHOLE_DEPTH 32u

/* A discrete GPU has some 20 to 150 cores with several workgroups each; a large tile pays once every core gets one. */
#define LARGE_TILE_MIN_GROUPS 128
#define MEDIUM_TILE_MIN_GROUPS 48
#define MALI_TILE_MIN_GROUPS 24 /* of 4 to 24 cores */
#define BIFROST_INVOCATIONS 256 /* that a core holds */

/* Where the outputs give fewer workgroups than these, the depth is divided, into parts of no less than PART_DEPTH: writing and reading each part's sums is 8
 * bytes an output, as much time as 160 products with 20 TFLOP/s and 500 GB/s if they leave the caches, which such small outputs mostly do not. */
#define PARTS_MAX 8
#define PART_DEPTH 512
#define DISCRETE_GROUPS 256
#define INTEGRATED_GROUPS 64
#define PARTS_THREADS 64
#define NORM_QUADS_MAX 8 /* of an invocation, in registers, where a layer norm is made along with it */

/* A layer norm before a product takes some 5 µs to start and end, and as a part of it two more readings of x by every workgroup: less where all of them are at work at once, and
 * where an invocation loads no more than so many elements each time. */
#define NORMED_GROUPS 2 /* times DISCRETE_GROUPS or INTEGRATED_GROUPS */
#define NORMED_ELEMENTS 160

/* Values of k a step of the matrix units' tiles, and the size of subgroup that they are made for: devices with a choice have 32 among it. */
#define MATRIX_DEPTH 32
#define MATRIX_SUBGROUP 32

static uint64_t groups(br_gemm_tile tile, uint64_t m, uint64_t n)
{
    uint64_t tile_m = br_gemm_tile_m(tile), tile_n = br_gemm_tile_n(tile);
    return (m + tile_m - 1) / tile_m * ((n + tile_n - 1) / tile_n);
}

/* Every multiplication of the form for CPU devices is written out, so its tile is as large as the device's compiler takes in about half a second: 64 rows
 * or 8 columns gain some 15 % more speed for three times that. */
#define LANES_ROWS 32
#define LANES_COLUMNS 4

bool br_gemm_has_lanes(const br_vk_caps *caps)
{
    uint32_t size = caps->subgroup_size;
    return caps->type == VK_PHYSICAL_DEVICE_TYPE_CPU && caps->subgroup_shuffle && size >= 4 && size <= LANES_ROWS &&
           LANES_ROWS % size == 0 && caps->subgroup_min == caps->subgroup_max;
}

bool br_gemm_unrolls(const br_vk_caps *caps)
{
    return br_gemm_has_lanes(caps) && caps->subgroup_size == 4 && strncmp(caps->name, "SwiftShader", 11) == 0;
}

bool br_gemm_mixes_f16(const br_vk_caps *caps)
{
    bool apple = strncmp(caps->name, "Apple", 5) == 0; /* Honeykrisp's vendor is Mesa */
    return apple || (caps->vendor_id == BR_VENDOR_AMD && !caps->cooperative_matrix && caps->subgroup_min < 64);
}

bool br_gemm_wants_small_tiles(const br_vk_caps *caps)
{
    return caps->vendor_id == BR_VENDOR_ARM || caps->vendor_id == BR_VENDOR_IMAGINATION;
}

/* Mali's shared memory is ordinary memory, of which PanVK gives every dispatch of a recording its own: a power of two for each of the workgroups that the cores
 * hold at once; and each place in it that is not known while compiling costs four instructions. Not on Bifrost, whose loads add the base themselves. */
bool br_gemm_broadcasts(const br_vk_caps *caps)
{
    return caps->vendor_id == BR_VENDOR_ARM && caps->max_invocations > BIFROST_INVOCATIONS;
}

/* 16 rows; of the columns that leave the fewest idle the most, for which x is loaded once. 80 invocations are for the multiples of 320 of Stable Diffusion. */
static br_gemm_tile choose_broadcast(uint64_t n)
{
    static const br_gemm_tile choices[] = {
        {.threads = 80, .threads_n = 80, .rows = 16, .columns = 2, .quads = 4, .form = BR_GEMM_BROADCAST}, /* 16 × 160, 1 KiB */
        {.threads = 64, .threads_n = 64, .rows = 16, .columns = 2, .quads = 4, .form = BR_GEMM_BROADCAST}, /* 16 × 128, 1 KiB */
        {.threads = 32, .threads_n = 32, .rows = 16, .columns = 2, .quads = 2, .form = BR_GEMM_BROADCAST}, /* 16 × 64, 0.5 KiB */
    };
    size_t best = 0;
    for (size_t i = 1; i < sizeof choices / sizeof choices[0]; i++)
        if (groups(choices[i], 1, n) * br_gemm_tile_n(choices[i]) < groups(choices[best], 1, n) * br_gemm_tile_n(choices[best]))
            best = i;
    return choices[best];
}

/* PanVK's compiler spills 50 values of the `medium` below and 23 of the `narrow`, none of these; on Bifrost 2 of 4 × 4 outputs an invocation. */
static br_gemm_tile choose_small(const br_vk_caps *caps, uint64_t m, uint64_t n)
{
    const br_gemm_tile square = {.threads = 256, .threads_n = 16, .rows = 4, .columns = 4, .quads = 2}; /* 64 × 64, 6 KiB */
    const br_gemm_tile flat = {.threads = 128, .threads_n = 8, .rows = 2, .columns = 4, .quads = 2};    /* 32 × 32, 3 KiB */
    const br_gemm_tile slim = {.threads = 64, .threads_n = 4, .rows = 2, .columns = 2, .quads = 2};     /* 32 × 8, 2 KiB */
    if (n <= br_gemm_tile_n(slim))
        return slim;
    if (br_gemm_broadcasts(caps))
        return choose_broadcast(n);
    /* On Bifrost one workgroup of `square` would have to wait for itself. */
    return caps->max_invocations > BIFROST_INVOCATIONS && groups(square, m, n) >= MALI_TILE_MIN_GROUPS ? square : flat;
}

/* 128 × 64: 15 KiB of shared memory, 64 sums an invocation. Large tiles are slow or worse on mobile GPUs. */
static const br_gemm_tile tiles[BR_GEMM_TILE_COUNT] = {
    {.threads = 128, .threads_n = 8, .rows = 8, .columns = 8, .quads = 4},
    {.threads = 128, .threads_n = 16, .rows = 8, .columns = 4, .quads = 4}, /* 64 × 64, 10 KiB */
    {.threads = 64, .threads_n = 8, .rows = 4, .columns = 4, .quads = 4},   /* 32 × 32, 5 KiB */
};
/* 128 × 8, 6.5 KiB. What is loaded ahead of a step of 4 quads spills on M1. */
static const br_gemm_tile narrow = {.threads = 64, .threads_n = 4, .rows = 8, .columns = 2, .quads = 2};

static_assert(BR_GEMM_TILE_COUNT == BR_VK_TUNED_TILES && BR_GEMM_SHAPE_SMALL + 1 == BR_VK_TUNED_SHAPES,
              "kept on disk by vk/tuning");

const char *br_gemm_tile_name(int index)
{
    static const char *const names[BR_GEMM_TILE_COUNT] = {"128x64", "64x64", "32x32"};
    return index >= 0 && index < BR_GEMM_TILE_COUNT ? names[index] : NULL;
}

static uint64_t groups_wanted(const br_vk_caps *caps)
{
    return caps->type == VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU ? DISCRETE_GROUPS : INTEGRATED_GROUPS;
}

static uint32_t parts_of(const br_vk_caps *caps, br_gemm_tile tile, uint64_t m, uint64_t n, uint64_t depth)
{
    uint64_t parts = groups_wanted(caps) / groups(tile, m, n);
    if (parts > depth / PART_DEPTH)
        parts = depth / PART_DEPTH;
    if (parts > PARTS_MAX)
        parts = PARTS_MAX;
    while (parts > 1 && parts * m * n * sizeof(float) > caps->max_storage_range)
        parts--;
    return parts > 1 ? (uint32_t)parts : 1;
}

/* Whether a tile that the outputs alone give too few workgroups of has enough of them by its parts. */
static bool fills_by_parts(const br_vk_caps *caps, br_gemm_tile tile, uint64_t m, uint64_t n, uint64_t depth)
{
    uint32_t parts = parts_of(caps, tile, m, n, depth);
    return parts > 1 && 2 * parts * groups(tile, m, n) >= groups_wanted(caps);
}

static br_gemm_shape shape_of(uint64_t m, uint64_t n)
{
    bool large = groups(tiles[0], m, n) >= LARGE_TILE_MIN_GROUPS, medium = groups(tiles[1], m, n) >= MEDIUM_TILE_MIN_GROUPS;
    return large ? BR_GEMM_SHAPE_LARGE : medium ? BR_GEMM_SHAPE_MEDIUM : BR_GEMM_SHAPE_SMALL;
}

bool br_gemm_shape_of(const br_vk_caps *caps, uint64_t m, uint64_t n, br_gemm_shape *out_shape)
{
    if (br_gemm_has_lanes(caps) || br_gemm_wants_small_tiles(caps) || n <= br_gemm_tile_n(narrow))
        return false;
    *out_shape = shape_of(m, n);
    return true;
}

static br_gemm_tile choose(const br_vk_caps *caps, uint64_t m, uint64_t n, uint64_t depth)
{
    br_gemm_shape shape;
    if (br_gemm_has_lanes(caps)) {
        uint32_t size = caps->subgroup_size;
        uint32_t columns = n < LANES_COLUMNS * size ? (uint32_t)((n + size - 1) / size) : LANES_COLUMNS;
        return (br_gemm_tile){
            .threads = size, .threads_n = size, .rows = LANES_ROWS, .columns = columns, .quads = 1, .form = BR_GEMM_LANES};
    }
    if (br_gemm_wants_small_tiles(caps))
        return choose_small(caps, m, n);
    if (!br_gemm_shape_of(caps, m, n, &shape)) /* the last convolution of a model has 3 or 4 channels */
        return narrow;
    if (caps->tuned.tile[shape])
        return tiles[caps->tuned.tile[shape] - 1];
    /* Subgroups of 64 only (AMD before RDNA) have the registers for one subgroup a SIMD with the large tile, for two with the medium one. */
    if (shape == BR_GEMM_SHAPE_LARGE && (caps->type != VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU || caps->subgroup_min >= 64))
        shape = groups(tiles[1], m, n) >= MEDIUM_TILE_MIN_GROUPS ? BR_GEMM_SHAPE_MEDIUM : BR_GEMM_SHAPE_SMALL;
    if (shape == BR_GEMM_SHAPE_SMALL && fills_by_parts(caps, tiles[BR_GEMM_SHAPE_MEDIUM], m, n, depth))
        shape = BR_GEMM_SHAPE_MEDIUM;
    return tiles[shape];
}

void br_gemm_tile_widen(br_gemm_tile *tile, bool halves, uint64_t multiples)
{
    if (tile->form == BR_GEMM_LANES && halves && multiples % 8 == 0)
        tile->quads = 2;
}

br_gemm_tile br_gemm_tile_choose(const br_vk_caps *caps, uint64_t m, uint64_t n, uint64_t depth)
{
    br_gemm_tile tile = choose(caps, m, n, depth);
    tile.packed = br_gemm_mixes_f16(caps);
    tile.parts = tile.form == BR_GEMM_LANES ? 1 : parts_of(caps, tile, m, n, depth);
    return tile;
}

bool br_gemm_norms_x(const br_vk_caps *caps, br_gemm_tile tile, uint64_t m, uint64_t n, uint64_t depth)
{
    bool loads_quads = tile.form == BR_GEMM_TILES || tile.form == BR_GEMM_BROADCAST;
    return loads_quads && tile.parts == 1 && depth % 4 == 0 && br_gemm_tile_m(tile) <= tile.threads &&
           depth * br_gemm_tile_m(tile) <= (uint64_t)NORMED_ELEMENTS * tile.threads &&
           groups(tile, m, n) <= NORMED_GROUPS * groups_wanted(caps) && caps->max_storage_buffers >= BR_LINEAR_NORM_X_BINDINGS;
}

/* What a workgroup of subgroups covers with matrix units. */
typedef struct matrix_plan {
    uint32_t groups_m, groups_n; /* subgroups */
    uint32_t m, n;               /* outputs of a subgroup */
    uint64_t min_groups;         /* workgroups from which on it is used */
} matrix_plan;

/* Bytes of common/gemm_matrix.glsl. */
static uint64_t matrix_shared(br_gemm_tile tile)
{
    uint64_t row = (tile.quads + 2) * 8, sums = tile.threads / tile.subgroup * tile.shape.m * tile.shape.n * 4;
    return tile.stages * (br_gemm_tile_m(tile) + br_gemm_tile_n(tile)) * row + sums;
}

/* The tile of a plan with as many stages as fit; false when not even one does. */
static bool matrix_tile(const br_vk_caps *caps, const matrix_plan *plan, br_gemm_tile *tile)
{
    uint32_t side = 2 * tile->shape.n; /* an even number of columns */
    if (plan->m % tile->shape.m || plan->n % side || tile->shape.k % 8)
        return false;
    tile->threads = plan->groups_m * plan->groups_n * tile->subgroup;
    tile->threads_n = plan->groups_n;
    tile->rows = plan->m / tile->shape.m;
    tile->columns = plan->n / tile->shape.n;
    /* AMD's cores hide more with the subgroups that fit beside a single stage. */
    for (tile->stages = caps->vendor_id == BR_VENDOR_AMD ? 1 : 2; tile->stages > 0; tile->stages--)
        if (matrix_shared(*tile) <= caps->max_shared)
            return tile->threads <= caps->max_invocations && tile->threads <= caps->max_group_size[0];
    return false;
}

bool br_gemm_tile_choose_matrix(const br_vk_caps *caps, uint64_t m, uint64_t n, uint64_t depth, br_gemm_tile *out_tile)
{
    static const matrix_plan plans[] = {
        {4, 2, 32, 64, LARGE_TILE_MIN_GROUPS},  /* 128 × 128, 28 KiB with one stage and matrices of 16 × 16 */
        {4, 1, 16, 64, MEDIUM_TILE_MIN_GROUPS}, /* 64 × 64, 14 KiB */
        {2, 1, 16, 32, 0},                      /* 32 × 32, 7 KiB */
    };
    if (!caps->cooperative_matrix || !br_vk_chosen(caps->tuned.matrix[shape_of(m, n)], caps->prefer_matrix))
        return false;
    br_gemm_tile tile = {.form = BR_GEMM_MATRIX, .shape = caps->matrix[0], .subgroup_asked = caps->subgroup_size_control};
    for (uint32_t i = 1; i < caps->matrix_count; i++)
        if (caps->matrix[i].m * caps->matrix[i].n > tile.shape.m * tile.shape.n)
            tile.shape = caps->matrix[i];
    tile.quads = tile.shape.k <= MATRIX_DEPTH && MATRIX_DEPTH % tile.shape.k == 0 ? MATRIX_DEPTH / 4 : tile.shape.k / 4;
    tile.subgroup = caps->subgroup_max < MATRIX_SUBGROUP ? caps->subgroup_max : MATRIX_SUBGROUP;
    if (tile.subgroup < caps->subgroup_min)
        tile.subgroup = caps->subgroup_min;
    for (size_t i = 0; i < sizeof plans / sizeof plans[0]; i++)
        if (matrix_tile(caps, &plans[i], &tile) &&
            (groups(tile, m, n) >= plans[i].min_groups || (i == BR_GEMM_SHAPE_MEDIUM && fills_by_parts(caps, tile, m, n, depth)))) {
            tile.parts = parts_of(caps, tile, m, n, depth);
            *out_tile = tile;
            return true;
        }
    return false;
}

uint32_t br_gemm_depth_flag(br_gemm_tile tile, uint64_t depth, uint64_t multiples)
{
    bool fits = tile.form == BR_GEMM_BROADCAST || (tile.form == BR_GEMM_MATRIX && tile.threads % (tile.quads / 2) == 0);
    return fits && depth % (4 * tile.quads) == 0 && multiples % 8 == 0 ? FLAG_WHOLE_DEPTH : 0;
}

uint32_t br_gemm_tile_m(br_gemm_tile tile)
{
    return tile.form == BR_GEMM_MATRIX ? tile.threads / tile.subgroup / tile.threads_n * tile.rows * tile.shape.m
                                       : tile.threads / tile.threads_n * tile.rows;
}

uint32_t br_gemm_tile_n(br_gemm_tile tile)
{
    return tile.threads_n * tile.columns * (tile.form == BR_GEMM_MATRIX ? tile.shape.n : 1);
}

void br_gemm_specialize(br_op_dispatch *dispatch, br_gemm_tile tile, uint32_t flags, br_gemm_epilogue epilogue)
{
    /* Outputs of fewer than four columns an invocation are stored one by one: no reason for two pipelines. */
    if (tile.form != BR_GEMM_MATRIX && tile.columns / (epilogue.geglu ? 2 : 1) % 4 != 0)
        flags &= ~(uint32_t)BR_GEMM_VEC_STORE;
    const uint32_t spec[] = {tile.threads,
                             tile.threads_n,
                             tile.rows,
                             tile.columns,
                             tile.quads,
                             flags | (tile.packed ? FLAG_PACKED : 0),
                             epilogue.geglu ? ACT_GEGLU : (uint32_t)epilogue.activation,
                             epilogue.bias,
                             (uint32_t)epilogue.residual};
    dispatch->spec_count = sizeof spec / sizeof spec[0];
    for (uint32_t i = 0; i < dispatch->spec_count; i++)
        dispatch->spec[i] = spec[i];
    if (tile.form != BR_GEMM_MATRIX)
        return;
    const uint32_t matrix[] = {tile.shape.m, tile.shape.n, tile.shape.k, tile.subgroup, tile.stages};
    for (uint32_t i = 0; i < sizeof matrix / sizeof matrix[0]; i++)
        dispatch->spec[dispatch->spec_count++] = matrix[i];
    dispatch->subgroup_size = tile.subgroup_asked ? tile.subgroup : 0;
}

static void set_total(br_op_dispatch *dispatch, const br_emitter *emitter, uint64_t total)
{
    uint32_t first = (uint32_t)total;
    memcpy(dispatch->push, &first, sizeof first);
    br_emit_fold(emitter, total, dispatch->groups);
}

static br_status emit_specialized(br_emitter *emitter, br_op_dispatch *dispatch, const br_gemm_launch *launch, uint32_t flags,
                                  br_gemm_epilogue epilogue)
{
    br_gemm_specialize(dispatch, launch->tile, flags, epilogue);
    if (launch->op_spec_count)
        dispatch->spec[dispatch->spec_count++] = launch->op_spec;
    return br_emit_dispatch(emitter, dispatch);
}

/* WHOLE of shaders/common/gemm_spec.glsl, which only the form for CPU devices gains by. A row must not be made twice where its residual may be y. */
static bool is_whole(const br_gemm_launch *launch)
{
    uint64_t slots = launch->n * (launch->epilogue.geglu ? 2 : 1), tile_m = br_gemm_tile_m(launch->tile);
    bool repeats = launch->epilogue.residual == BR_GEMM_RESIDUAL_NONE || launch->epilogue.residual == BR_GEMM_RESIDUAL_ROW;
    return launch->tile.form == BR_GEMM_LANES && slots % br_gemm_tile_n(launch->tile) == 0 &&
           (launch->m % tile_m == 0 || (launch->m > tile_m && repeats));
}

/* What CPU devices' pipelines do not tell apart: see GEMM_ADDS_RESIDUAL there. */
static br_gemm_epilogue lanes_epilogue(br_gemm_epilogue epilogue)
{
    if (epilogue.residual == BR_GEMM_RESIDUAL_NONE && epilogue.activation == BR_ACTIVATION_NONE && !epilogue.geglu)
        epilogue.residual = BR_GEMM_RESIDUAL_FULL;
    return epilogue;
}

/* BR_UNROLLED of shaders/common/gemm_spec.glsl. */
static bool is_unrolled(const br_vk_caps *caps, const br_gemm_launch *launch)
{
    uint32_t wanted = launch->epilogue.geglu ? BR_GEMM_VEC_LOAD : BR_GEMM_VEC_LOAD | BR_GEMM_VEC_STORE;
    return launch->unrolled && br_gemm_unrolls(caps) && is_whole(launch) && launch->tile.columns == LANES_COLUMNS &&
           (launch->flags & wanted) == wanted && launch->epilogue.activation == BR_ACTIVATION_NONE;
}

/* The second stage: adds the parts up. */
static br_status emit_parts(br_emitter *emitter, br_op_dispatch *dispatch, const br_gemm_launch *launch)
{
    br_gemm_tile quads = {
        .threads = PARTS_THREADS, .threads_n = 1, .rows = 1, .columns = launch->epilogue.geglu ? 8 : 4, .quads = 1};
    dispatch->shader = launch->parts;
    dispatch->operand_count = BR_GEMM_RESIDUAL + 1;
    dispatch->operands[BR_GEMM_W] = br_gemm_unused(emitter, dispatch->operands[BR_GEMM_X].value);
    set_total(dispatch, emitter, (launch->m * ((launch->n + 3) / 4) + PARTS_THREADS - 1) / PARTS_THREADS);
    br_gemm_specialize(dispatch, quads, launch->flags & BR_GEMM_VEC_STORE, launch->epilogue);
    return br_emit_dispatch(emitter, dispatch);
}

bool br_gemm_takes_norm(const br_vk_caps *caps, br_gemm_tile tile, uint32_t flags, uint64_t n)
{
    return tile.parts > 1 && (flags & BR_GEMM_VEC_STORE) && n <= (uint64_t)PARTS_THREADS * 4 * NORM_QUADS_MAX &&
           caps->max_storage_buffers >= BR_LINEAR_NORM_BINDINGS;
}

/* The second stage, a row a workgroup. */
static br_status emit_parts_and_norm(br_emitter *emitter, br_op_dispatch *dispatch, const br_gemm_launch *launch)
{
    br_gemm_tile quads = {.threads = PARTS_THREADS, .threads_n = 1, .rows = 1, .columns = 4, .quads = 1};
    dispatch->shader = launch->norm->shader;
    dispatch->operand_count = BR_LINEAR_NORM_BINDINGS;
    dispatch->operands[BR_LINEAR_GAMMA] = launch->norm->gamma;
    dispatch->operands[BR_LINEAR_BETA] = launch->norm->beta;
    dispatch->operands[BR_LINEAR_NORMED] = launch->norm->y;
    dispatch->flops += BR_LAYER_NORM_FLOPS * launch->m * launch->n;
    set_total(dispatch, emitter, launch->m);
    br_gemm_specialize(dispatch, quads, BR_GEMM_VEC_STORE, launch->epilogue);
    dispatch->spec[dispatch->spec_count++] = (uint32_t)((launch->n / 4 + PARTS_THREADS - 1) / PARTS_THREADS);
    return br_emit_dispatch(emitter, dispatch);
}

br_status br_gemm_emit(br_emitter *emitter, const br_op_dispatch *dispatch, const br_gemm_launch *launch)
{
    uint32_t total, parts = launch->tile.parts;
    bool geglu = launch->epilogue.geglu;
    memcpy(&total, dispatch->push, sizeof total);
    br_op_dispatch first = *dispatch, second = *dispatch;
    set_total(&first, emitter, (uint64_t)total * parts);
    bool lanes = launch->tile.form == BR_GEMM_LANES;
    if (lanes && is_unrolled(emitter->caps, launch)) {
        first.shader = launch->unrolled[geglu];
        return emit_specialized(emitter, &first, launch, launch->flags | FLAG_WHOLE, lanes_epilogue(launch->epilogue));
    }
    if (lanes)
        return emit_specialized(emitter, &first, launch, launch->flags | (is_whole(launch) ? FLAG_WHOLE : 0),
                                lanes_epilogue(launch->epilogue));
    if (parts == 1)
        return emit_specialized(emitter, &first, launch, launch->flags, launch->epilogue);

    br_value sums;
    uint64_t columns = launch->n * (geglu ? 2 : 1);
    BR_TRY(br_emit_scratch(emitter, "parts", BR_F32, br_shape_of(parts, (int64_t)launch->m, (int64_t)columns), &sums));
    first.operands[BR_GEMM_Y] = br_emit_whole(emitter, sums, BR_VK_WRITE);
    first.operands[BR_GEMM_BIAS] = first.operands[BR_GEMM_RESIDUAL] = br_gemm_unused(emitter, first.operands[BR_GEMM_W].value);
    BR_TRY(emit_specialized(emitter, &first, launch, launch->flags | FLAG_SPLIT, (br_gemm_epilogue){.geglu = geglu}));

    second.flops = parts * launch->m * columns;
    second.operands[BR_GEMM_X] = br_emit_whole(emitter, sums, BR_VK_READ);
    return launch->norm ? emit_parts_and_norm(emitter, &second, launch) : emit_parts(emitter, &second, launch);
}

br_operand br_gemm_unused(const br_emitter *emitter, br_value value)
{
    return br_slice_make(emitter, value, 0, 1, BR_VK_READ).operand;
}

bool br_gemm_check_dtypes(br_graph *graph, const char *op, br_value x, br_value weight)
{
    br_dtype x_dtype = br_graph_dtype(graph, x), w_dtype = br_graph_dtype(graph, weight);
    if ((x_dtype == BR_F32 || x_dtype == BR_F16) && (w_dtype == BR_F32 || w_dtype == BR_F16))
        return true;
    br_graph_fail(graph, BR_ERROR_ARGUMENT, "%s takes f32 or f16, x is %s and weight %s", op, br_dtype_name(x_dtype),
                  br_dtype_name(w_dtype));
    return false;
}

bool br_gemm_check_vector(br_graph *graph, const char *op, const char *role, br_value value, int64_t count)
{
    br_shape shape = br_graph_shape(graph, value);
    if (br_graph_dtype(graph, value) == BR_F32 && br_shape_equal(shape, br_shape_of(count)))
        return true;
    br_graph_fail(graph, BR_ERROR_ARGUMENT, "%s %s is %s %s, expected f32 [%lld]", op, role,
                  br_dtype_name(br_graph_dtype(graph, value)), br_shape_format(shape).text, (long long)count);
    return false;
}
