#include "ops/group_norm.h"

#include <string.h>

#include "ops/elementwise.h"

/* Channels that neighbouring invocations read side by side: 128 bytes of f32, a line of the cache or two. */
#define BLOCK_WANTED 32
/* Elements that a workgroup reduces: 256 invocations times four vectors of four. */
#define CHUNK_ELEMENTS 4096
/* A block of channels that one workgroup measures and then normalises. On a CPU device: as long as a core's cache holds it. On a GPU: as long as reading it
 * takes about the microseconds that the start of a second dispatch would. */
#define CPU_WHOLE_BYTES (256 * 1024)
#define GPU_WHOLE_BYTES (64 * 1024)
/* More parts than this make merging them, which every workgroup of the second stage does for its groups, noticeable. */
#define CHUNKS_MAX 256
/* mean and variance: sum; difference, product, sum. Result: difference, two products, sum. */
#define STATS_FLOPS 4
#define APPLY_FLOPS 4
#define SILU_FLOPS 4

typedef struct br_group_norm_attrs {
    int groups;
    float eps;
    br_activation activation;
    uint32_t chunk_rows, chunks; /* pixels a chunk; chunks a picture */
} br_group_norm_attrs;

enum { INPUT_X, INPUT_GAMMA, INPUT_BETA, INPUT_BESIDE, INPUT_COUNT };

/* [B, H, W, Ca + Cb], or a shape of rank 0 once an error is recorded. */
static br_shape result_shape(br_graph *graph, const char *name, const br_group_norm_params *params)
{
    br_shape x = br_graph_shape(graph, params->x);
    if (x.rank != 4) {
        br_graph_fail(graph, BR_ERROR_ARGUMENT, "%s: x is %s, expected [B, H, W, C]", name, br_shape_format(x).text);
        return (br_shape){0};
    }
    if (params->beside == BR_NONE)
        return x;
    br_shape beside = br_graph_shape(graph, params->beside);
    br_dtype dtype = br_graph_dtype(graph, params->x);
    if (beside.rank != 4 || beside.dim[0] != x.dim[0] || beside.dim[1] != x.dim[1] || beside.dim[2] != x.dim[2] ||
        br_graph_dtype(graph, params->beside) != dtype) {
        br_graph_fail(graph, BR_ERROR_ARGUMENT, "%s: beside is %s %s, expected %s [%lld, %lld, %lld, C]", name,
                      br_dtype_name(br_graph_dtype(graph, params->beside)), br_shape_format(beside).text, br_dtype_name(dtype),
                      (long long)x.dim[0], (long long)x.dim[1], (long long)x.dim[2]);
        return (br_shape){0};
    }
    x.dim[3] += beside.dim[3];
    return x;
}

static void choose_chunks(br_group_norm_attrs *attrs, br_shape x)
{
    int64_t rows = x.dim[1] * x.dim[2], width = x.dim[3] / attrs->groups;
    if (width < BLOCK_WANTED)
        width = x.dim[3] < BLOCK_WANTED ? x.dim[3] : BLOCK_WANTED;
    int64_t chunk = (CHUNK_ELEMENTS + width - 1) / width, least = (rows + CHUNKS_MAX - 1) / CHUNKS_MAX;
    if (chunk < least)
        chunk = least;
    attrs->chunk_rows = (uint32_t)(chunk < rows ? chunk : rows);
    attrs->chunks = (uint32_t)((rows + attrs->chunk_rows - 1) / attrs->chunk_rows);
}

br_value br_op_group_norm(br_graph *graph, const char *name, const br_group_norm_params *params)
{
    if (params->x == BR_NONE || params->gamma == BR_NONE || params->beta == BR_NONE ||
        !br_elementwise_check(graph, name, "x", params->x))
        return BR_NONE;
    br_shape x = result_shape(graph, name, params);
    if (x.rank == 0)
        return BR_NONE;
    if (params->groups < 1 || x.dim[3] % params->groups != 0)
        return br_graph_fail(graph, BR_ERROR_ARGUMENT, "%s: %d groups do not divide the channels of %s", name, params->groups,
                             br_shape_format(x).text);
    if (x.dim[1] * x.dim[2] > INT32_MAX)
        return br_graph_fail(graph, BR_ERROR_UNSUPPORTED, "%s: %s has more than 2^31 pixels", name, br_shape_format(x).text);
    if (params->activation != BR_ACTIVATION_NONE && params->activation != BR_ACTIVATION_SILU)
        return br_graph_fail(graph, BR_ERROR_ARGUMENT, "%s: activation %d, expected none or SiLU", name, (int)params->activation);
    if (!br_elementwise_check_vector(graph, name, "gamma", params->gamma, x.dim[3]) ||
        !br_elementwise_check_vector(graph, name, "beta", params->beta, x.dim[3]))
        return BR_NONE;
    br_group_norm_attrs attrs = {.groups = params->groups, .eps = params->eps, .activation = params->activation};
    choose_chunks(&attrs, x);
    return br_graph_node(graph, &(br_node_params){
                                    .op = BR_OP_group_norm,
                                    .name = name,
                                    .input_count = INPUT_COUNT,
                                    .inputs = {params->x, params->gamma, params->beta, params->beside},
                                    .attrs = &attrs,
                                    .attrs_size = sizeof attrs,
                                    .in_place = params->beside == BR_NONE ? INPUT_X : -1,
                                    .output_count = 1,
                                    .outputs = {{br_graph_dtype(graph, params->x), x, BR_NONE}},
                                });
}

/* How a workgroup is laid over channels and pixels; see shaders/ops/group_norm.h. */
typedef struct br_group_norm_layout {
    uint32_t vector, block, columns, lanes, group_width, team;
    uint32_t blocks;
} br_group_norm_layout;

static br_group_norm_layout choose_layout(uint32_t size, uint32_t channels, uint32_t groups, bool vec)
{
    br_group_norm_layout layout = {.vector = 1, .group_width = channels / groups};
    /* Vectors may cross from one group to the next, but not from one block to the next. */
    uint32_t unit = layout.group_width;
    if (vec) {
        while (unit % 4)
            unit += layout.group_width;
        if (unit == layout.group_width || unit <= 4 * size)
            layout.vector = 4;
        else
            unit = layout.group_width;
    }
    layout.block = unit;
    /* At most a vector an invocation, and an invocation for each group to merge it. */
    uint32_t limit = layout.group_width < layout.vector ? size * layout.group_width : size * layout.vector;
    while (layout.block < BLOCK_WANTED && layout.block < channels && layout.block + unit <= limit)
        layout.block += unit;
    layout.columns = layout.block / layout.vector < size ? layout.block / layout.vector : size;
    layout.lanes = size / layout.columns;
    layout.blocks = (channels + layout.block - 1) / layout.block;
    layout.team = size;
    while (layout.team * (layout.block / layout.group_width) > size)
        layout.team /= 2;
    return layout;
}

/* Chunks [chunk, chunk + chunks) of pictures [picture, picture + pictures): all chunks unless it is one picture. */
typedef struct br_group_norm_piece {
    uint64_t picture, pictures, chunk, chunks;
    uint64_t chunk_rows, all_chunks; /* pixels a chunk; chunks of a whole picture */
    br_value partial;                /* (mean, M2) of every chunk of every group; where there are two stages */
    br_group_norm_layout layout;
} br_group_norm_piece;

static bool has_beside(const br_node *node)
{
    return node->inputs[INPUT_BESIDE] != BR_NONE;
}

/* 0 for what is absent. */
static uint32_t channels_of(const br_emitter *emitter, br_value value)
{
    return value == BR_NONE ? 0 : (uint32_t)br_shape_last(br_graph_shape(emitter->graph, value));
}

/* The pixels of a value that a piece covers. */
static br_slice piece_slice(const br_emitter *emitter, const br_group_norm_piece *piece, br_value value, br_vk_access access)
{
    br_shape shape = br_graph_shape(emitter->graph, value);
    uint64_t rows = (uint64_t)(shape.dim[1] * shape.dim[2]), channels = (uint64_t)shape.dim[3];
    uint64_t begin = piece->chunk * piece->chunk_rows, end = (piece->chunk + piece->chunks) * piece->chunk_rows;
    if (end > rows)
        end = rows;
    return br_slice_make(emitter, value, (piece->picture * rows + begin) * channels,
                         ((piece->pictures - 1) * rows + end - begin) * channels, access);
}

typedef struct br_group_norm_slices {
    br_slice x, beside; /* x again where there is nothing beside it: bindings cannot be left out */
    br_slice y;
    uint64_t count; /* elements of y */
} br_group_norm_slices;

static br_group_norm_slices make_slices(const br_emitter *emitter, const br_node *node, const br_group_norm_piece *piece)
{
    br_group_norm_slices slices = {.x = piece_slice(emitter, piece, node->inputs[INPUT_X], BR_VK_READ),
                                   .y = piece_slice(emitter, piece, node->outputs[0], BR_VK_WRITE)};
    slices.beside = has_beside(node) ? piece_slice(emitter, piece, node->inputs[INPUT_BESIDE], BR_VK_READ) : slices.x;
    uint64_t size = (uint64_t)br_dtype_size(br_graph_dtype(emitter->graph, node->outputs[0]));
    slices.count = slices.y.operand.size / size - slices.y.skip;
    return slices;
}

static br_group_norm_push make_push(const br_emitter *emitter, const br_node *node, const br_group_norm_piece *piece,
                                    const br_group_norm_slices *slices)
{
    const br_group_norm_attrs *attrs = node->attrs;
    const br_group_norm_layout *layout = &piece->layout;
    br_shape y = br_graph_shape(emitter->graph, node->outputs[0]);
    return (br_group_norm_push){.total = (uint32_t)(piece->pictures * piece->chunks * layout->blocks),
                                .blocks = layout->blocks,
                                .block = layout->block,
                                .columns = layout->columns,
                                .lanes = layout->lanes,
                                .group_width = layout->group_width,
                                .team = layout->team,
                                .channels = (uint32_t)y.dim[3],
                                .x_channels = channels_of(emitter, node->inputs[INPUT_X]),
                                .beside_channels = channels_of(emitter, node->inputs[INPUT_BESIDE]),
                                .groups = (uint32_t)attrs->groups,
                                .rows = (uint32_t)(y.dim[1] * y.dim[2]),
                                .chunks = (uint32_t)piece->all_chunks,
                                .chunk_rows = (uint32_t)piece->chunk_rows,
                                .chunk_first = (uint32_t)piece->chunk,
                                .chunk_count = (uint32_t)piece->chunks,
                                .picture_first = (uint32_t)piece->picture,
                                .x_skip = slices->x.skip,
                                .beside_skip = slices->beside.skip,
                                .y_skip = slices->y.skip,
                                .eps = attrs->eps};
}

/* Which parts of the work a dispatch does; the variants of shaders/ops/group_norm.comp. */
typedef enum br_group_norm_part { MEASURE = 1, APPLY = 2, WHOLE = MEASURE | APPLY } br_group_norm_part;

static br_status emit_piece(br_emitter *emitter, const br_node *node, const br_group_norm_piece *piece, br_group_norm_part part)
{
    enum { FORM_F32, FORM_F16, FORM_LANES_F16, FORM_COUNT };
    static const br_shader_id shaders[][FORM_COUNT] = {
        [MEASURE] = {BR_SHADER_GROUP_NORM_STATS_F32, BR_SHADER_GROUP_NORM_STATS_F16, BR_SHADER_GROUP_NORM_LANES_STATS_F16},
        [APPLY] = {BR_SHADER_GROUP_NORM_APPLY_F32, BR_SHADER_GROUP_NORM_APPLY_F16, BR_SHADER_GROUP_NORM_LANES_APPLY_F16},
        [WHOLE] = {BR_SHADER_GROUP_NORM_F32, BR_SHADER_GROUP_NORM_F16, BR_SHADER_GROUP_NORM_LANES_F16}};
    bool f16 = br_graph_dtype(emitter->graph, node->inputs[INPUT_X]) == BR_F16;
    int form = !f16 ? FORM_F32 : emitter->caps->type == VK_PHYSICAL_DEVICE_TYPE_CPU ? FORM_LANES_F16 : FORM_F16;
    const br_group_norm_attrs *attrs = node->attrs;
    br_group_norm_slices slices = make_slices(emitter, node, piece);
    bool silu = attrs->activation == BR_ACTIVATION_SILU;
    br_op_dispatch dispatch = {.shader = shaders[part][form],
                               .push_size = sizeof(br_group_norm_push),
                               .spec_count = 4,
                               .spec = {br_elementwise_reduction_size(emitter), piece->layout.vector, has_beside(node),
                                        part & APPLY ? (uint32_t)attrs->activation : 0},
                               .operand_count = 3,
                               .operands = {[BR_GROUP_NORM_X] = slices.x.operand, [BR_GROUP_NORM_BESIDE] = slices.beside.operand},
                               .bytes = slices.y.operand.size};
    if (part & MEASURE)
        dispatch.flops += STATS_FLOPS * slices.count;
    if (part & APPLY) {
        br_operand gamma = br_emit_whole(emitter, node->inputs[INPUT_GAMMA], BR_VK_READ);
        br_operand beta = br_emit_whole(emitter, node->inputs[INPUT_BETA], BR_VK_READ);
        dispatch.operands[BR_GROUP_NORM_Y] = slices.y.operand;
        dispatch.operands[BR_GROUP_NORM_GAMMA] = gamma;
        dispatch.operands[BR_GROUP_NORM_BETA] = beta;
        dispatch.operand_count = 5;
        dispatch.flops += (APPLY_FLOPS + (silu ? SILU_FLOPS : 0)) * slices.count;
        dispatch.bytes += slices.y.operand.size + gamma.size + beta.size;
    }
    if (part != WHOLE) {
        br_operand partial = br_emit_whole(emitter, piece->partial, part == MEASURE ? BR_VK_WRITE : BR_VK_READ);
        dispatch.operands[part == MEASURE ? BR_GROUP_NORM_PARTIAL : BR_GROUP_NORM_MERGED] = partial;
        dispatch.operand_count = part == MEASURE ? 3 : 6;
        dispatch.bytes += partial.size;
    }
    br_emit_fold(emitter, piece->pictures * piece->chunks * piece->layout.blocks, dispatch.groups);
    br_group_norm_push push = make_push(emitter, node, piece, &slices);
    memcpy(dispatch.push, &push, sizeof push);
    return br_emit_dispatch(emitter, &dispatch);
}

/* Everything at once, or picture by picture, or chunks of one picture: as much as a binding holds. `all` is the whole of it. */
static br_status emit_part(br_emitter *emitter, const br_node *node, const br_group_norm_piece *all, br_group_norm_part part)
{
    br_shape y = br_graph_shape(emitter->graph, node->outputs[0]);
    /* y is the largest of the three. */
    uint64_t picture_step = br_slice_rows(emitter, node->outputs[0], (uint64_t)(y.dim[1] * y.dim[2] * y.dim[3]));
    uint64_t chunk_step = all->chunks;
    if (picture_step == 0) {
        picture_step = 1;
        chunk_step = br_slice_rows(emitter, node->outputs[0], all->chunk_rows * (uint64_t)y.dim[3]);
        if (chunk_step == 0) /* br_emit_dispatch refuses it */
            chunk_step = 1;
    }
    for (uint64_t b = 0; b < all->pictures; b += picture_step)
        for (uint64_t chunk = 0; chunk < all->chunks; chunk += chunk_step) {
            br_group_norm_piece piece = *all;
            piece.picture = b;
            piece.pictures = all->pictures - b < picture_step ? all->pictures - b : picture_step;
            piece.chunk = chunk;
            piece.chunks = all->chunks - chunk < chunk_step ? all->chunks - chunk : chunk_step;
            BR_TRY(emit_piece(emitter, node, &piece, part));
        }
    return NULL;
}

/* Whether one dispatch does it. Where a picture is one chunk anyway, two have no more workgroups. */
static bool is_whole(const br_emitter *emitter, const br_node *node, const br_group_norm_layout *layout)
{
    const br_group_norm_attrs *attrs = node->attrs;
    br_value y = node->outputs[0];
    br_shape shape = br_graph_shape(emitter->graph, y);
    uint64_t pixels = (uint64_t)(shape.dim[1] * shape.dim[2]);
    uint64_t most = emitter->caps->type == VK_PHYSICAL_DEVICE_TYPE_CPU ? CPU_WHOLE_BYTES : GPU_WHOLE_BYTES;
    return attrs->chunks == 1 || (br_slice_rows(emitter, y, pixels * (uint64_t)shape.dim[3]) > 0 &&
                                  pixels * layout->block * (uint64_t)br_dtype_size(br_graph_dtype(emitter->graph, y)) <= most);
}

br_status br_emit_group_norm(br_emitter *emitter, const br_node *node)
{
    const br_group_norm_attrs *attrs = node->attrs;
    br_shape y = br_graph_shape(emitter->graph, node->outputs[0]);
    bool vec = channels_of(emitter, node->inputs[INPUT_X]) % 4 == 0 && channels_of(emitter, node->inputs[INPUT_BESIDE]) % 4 == 0;
    br_group_norm_piece all = {
        .pictures = (uint64_t)y.dim[0],
        .chunks = attrs->chunks,
        .all_chunks = attrs->chunks,
        .chunk_rows = attrs->chunk_rows,
        .layout = choose_layout(br_elementwise_reduction_size(emitter), (uint32_t)y.dim[3], (uint32_t)attrs->groups, vec)};
    if (is_whole(emitter, node, &all.layout)) {
        all.chunks = all.all_chunks = 1;
        all.chunk_rows = (uint64_t)(y.dim[1] * y.dim[2]);
        return emit_part(emitter, node, &all, WHOLE);
    }
    BR_TRY(br_emit_scratch(emitter, "partial", BR_F32, br_shape_of(y.dim[0], attrs->groups, attrs->chunks, 2), &all.partial));
    BR_TRY(emit_part(emitter, node, &all, MEASURE));
    return emit_part(emitter, node, &all, APPLY);
}
