#include "ops/group_norm.h"

#include <string.h>

#include "ops/elementwise.h"

/* Channels that neighbouring invocations read side by side: 128 bytes of f32, a line of the cache or two. */
#define BLOCK_WANTED 32
/* Elements that a workgroup reduces: 256 invocations times four vectors of four. */
#define CHUNK_ELEMENTS 4096
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
    br_shape x = br_graph_shape(graph, params->x);
    if (x.rank != 4)
        return br_graph_fail(graph, BR_ERROR_ARGUMENT, "%s: x is %s, expected [B, H, W, C]", name, br_shape_format(x).text);
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
                                    .input_count = 3,
                                    .inputs = {params->x, params->gamma, params->beta},
                                    .attrs = &attrs,
                                    .attrs_size = sizeof attrs,
                                    .in_place = 0,
                                    .output_count = 2,
                                    .outputs = {{br_graph_dtype(graph, params->x), x, BR_NONE},
                                                /* (mean, M2) of every chunk of every group */
                                                {BR_F32, br_shape_of(x.dim[0], params->groups, attrs.chunks, 2), BR_NONE}},
                                });
}

/* How a workgroup is laid over channels and pixels; see shaders/ops/group_norm.glsl. */
typedef struct br_group_norm_layout {
    uint32_t vector, block, columns, lanes, group_width, team;
    uint32_t blocks;
} br_group_norm_layout;

static br_group_norm_layout choose_layout(uint32_t size, uint32_t channels, uint32_t groups)
{
    br_group_norm_layout layout = {.vector = 1, .group_width = channels / groups};
    /* Vectors may cross from one group to the next, but not from one block to the next. */
    uint32_t unit = layout.group_width;
    if (channels % 4 == 0) {
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
    br_group_norm_layout layout;
} br_group_norm_piece;

static void fill_dispatch(const br_emitter *emitter, const br_node *node, const br_group_norm_piece *piece,
                          br_op_dispatch *dispatch)
{
    const br_group_norm_attrs *attrs = node->attrs;
    const br_group_norm_layout *layout = &piece->layout;
    uint32_t spec[] = {br_elementwise_reduction_size(emitter),
                       layout->vector,
                       layout->block,
                       layout->columns,
                       layout->lanes,
                       layout->group_width,
                       layout->team,
                       (uint32_t)attrs->activation};
    dispatch->spec_count = sizeof spec / sizeof spec[0];
    memcpy(dispatch->spec, spec, sizeof spec);
    br_emit_fold(emitter, piece->pictures * piece->chunks * layout->blocks, dispatch->groups);
}

/* Elements of x (and y) that a piece covers. */
static void piece_range(const br_node *node, br_shape x, const br_group_norm_piece *piece, uint64_t *out_first, uint64_t *out_count)
{
    const br_group_norm_attrs *attrs = node->attrs;
    uint64_t rows = (uint64_t)(x.dim[1] * x.dim[2]), channels = (uint64_t)x.dim[3];
    uint64_t begin = piece->chunk * attrs->chunk_rows, end = (piece->chunk + piece->chunks) * attrs->chunk_rows;
    if (end > rows)
        end = rows;
    *out_first = (piece->picture * rows + begin) * channels;
    *out_count = ((piece->pictures - 1) * rows + end - begin) * channels;
}

static br_group_norm_push make_push(const br_emitter *emitter, const br_node *node, const br_group_norm_piece *piece,
                                    uint32_t x_skip)
{
    const br_group_norm_attrs *attrs = node->attrs;
    br_shape x = br_graph_shape(emitter->graph, node->inputs[0]);
    return (br_group_norm_push){.total = (uint32_t)(piece->pictures * piece->chunks * piece->layout.blocks),
                                .blocks = piece->layout.blocks,
                                .channels = (uint32_t)x.dim[3],
                                .groups = (uint32_t)attrs->groups,
                                .rows = (uint32_t)(x.dim[1] * x.dim[2]),
                                .chunks = attrs->chunks,
                                .chunk_rows = attrs->chunk_rows,
                                .chunk_first = (uint32_t)piece->chunk,
                                .chunk_count = (uint32_t)piece->chunks,
                                .picture_first = (uint32_t)piece->picture,
                                .x_skip = x_skip,
                                .eps = attrs->eps};
}

static br_status emit_stats(br_emitter *emitter, const br_node *node, const br_group_norm_piece *piece)
{
    br_shape x = br_graph_shape(emitter->graph, node->inputs[0]);
    uint64_t first, count;
    piece_range(node, x, piece, &first, &count);
    br_slice slice = br_slice_make(emitter, node->inputs[0], first, count, BR_VK_READ);
    bool f16 = br_graph_dtype(emitter->graph, node->inputs[0]) == BR_F16;
    br_op_dispatch dispatch = {.shader = f16 ? BR_SHADER_GROUP_NORM_STATS_F16 : BR_SHADER_GROUP_NORM_STATS_F32,
                               .push_size = sizeof(br_group_norm_push),
                               .operand_count = 2,
                               .operands = {[BR_GROUP_NORM_STATS_X] = slice.operand,
                                            [BR_GROUP_NORM_STATS_PARTIAL] = br_emit_whole(emitter, node->outputs[1], BR_VK_WRITE)},
                               .flops = STATS_FLOPS * count};
    fill_dispatch(emitter, node, piece, &dispatch);
    br_group_norm_push push = make_push(emitter, node, piece, slice.skip);
    memcpy(dispatch.push, &push, sizeof push);
    return br_emit_dispatch(emitter, &dispatch);
}

static br_status emit_apply(br_emitter *emitter, const br_node *node, const br_group_norm_piece *piece)
{
    const br_group_norm_attrs *attrs = node->attrs;
    br_shape x = br_graph_shape(emitter->graph, node->inputs[0]);
    uint64_t first, count;
    piece_range(node, x, piece, &first, &count);
    br_slice from = br_slice_make(emitter, node->inputs[0], first, count, BR_VK_READ);
    br_slice to = br_slice_make(emitter, node->outputs[0], first, count, BR_VK_WRITE);
    bool f16 = br_graph_dtype(emitter->graph, node->inputs[0]) == BR_F16;
    br_op_dispatch dispatch = {.shader = f16 ? BR_SHADER_GROUP_NORM_F16 : BR_SHADER_GROUP_NORM_F32,
                               .push_size = sizeof(br_group_norm_push),
                               .operand_count = 5,
                               .operands = {[BR_GROUP_NORM_X] = from.operand,
                                            [BR_GROUP_NORM_GAMMA] = br_emit_whole(emitter, node->inputs[1], BR_VK_READ),
                                            [BR_GROUP_NORM_BETA] = br_emit_whole(emitter, node->inputs[2], BR_VK_READ),
                                            [BR_GROUP_NORM_PARTIAL] = br_emit_whole(emitter, node->outputs[1], BR_VK_READ),
                                            [BR_GROUP_NORM_Y] = to.operand},
                               .flops = (APPLY_FLOPS + (attrs->activation == BR_ACTIVATION_SILU ? SILU_FLOPS : 0)) * count};
    fill_dispatch(emitter, node, piece, &dispatch);
    br_group_norm_push push = make_push(emitter, node, piece, from.skip);
    push.y_skip = to.skip;
    memcpy(dispatch.push, &push, sizeof push);
    return br_emit_dispatch(emitter, &dispatch);
}

/* Everything at once, or picture by picture, or chunks of one picture: as much as a binding holds. */
static br_status emit_stage(br_emitter *emitter, const br_node *node,
                            br_status (*emit)(br_emitter *, const br_node *, const br_group_norm_piece *))
{
    const br_group_norm_attrs *attrs = node->attrs;
    br_shape x = br_graph_shape(emitter->graph, node->inputs[0]);
    uint64_t picture = (uint64_t)(x.dim[1] * x.dim[2] * x.dim[3]), pictures = (uint64_t)x.dim[0];
    br_group_norm_layout layout =
        choose_layout(br_elementwise_reduction_size(emitter), (uint32_t)x.dim[3], (uint32_t)attrs->groups);
    uint64_t picture_step = br_slice_rows(emitter, node->inputs[0], picture), chunk_step = attrs->chunks;
    if (picture_step == 0) {
        picture_step = 1;
        chunk_step = br_slice_rows(emitter, node->inputs[0], attrs->chunk_rows * (uint64_t)x.dim[3]);
        if (chunk_step == 0) /* br_emit_dispatch refuses it */
            chunk_step = 1;
    }
    for (uint64_t b = 0; b < pictures; b += picture_step)
        for (uint64_t chunk = 0; chunk < attrs->chunks; chunk += chunk_step) {
            br_group_norm_piece piece = {.picture = b,
                                         .pictures = pictures - b < picture_step ? pictures - b : picture_step,
                                         .chunk = chunk,
                                         .chunks = attrs->chunks - chunk < chunk_step ? attrs->chunks - chunk : chunk_step,
                                         .layout = layout};
            BR_TRY(emit(emitter, node, &piece));
        }
    return NULL;
}

br_status br_emit_group_norm(br_emitter *emitter, const br_node *node)
{
    BR_TRY(emit_stage(emitter, node, emit_stats));
    return emit_stage(emitter, node, emit_apply);
}
