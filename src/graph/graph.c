#include "graph/graph.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Values of more elements than this are refused: 32-bit indices in the shaders, and nothing a picture needs. */
#define VALUE_COUNT_MAX ((int64_t)1 << 34)

void br_graph_init(br_graph *graph)
{
    *graph = (br_graph){0};
    br_arena_init(&graph->arena);
}

void br_graph_finish(br_graph *graph)
{
    br_arena_finish(&graph->arena);
    free(graph->values);
    free(graph->nodes);
    br_status_free(graph->error);
    *graph = (br_graph){0};
}

bool br_graph_failed(const br_graph *graph)
{
    return graph->error != NULL;
}

br_value br_graph_fail(br_graph *graph, br_code code, const char *format, ...)
{
    if (graph->error)
        return BR_NONE;
    char message[512];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    graph->error = br_fail(code, "%.*s%s%s", (int)(graph->scope_length ? graph->scope_length - 1 : 0), graph->scope,
                           graph->scope_length ? ": " : "", message);
    return BR_NONE;
}

void br_graph_push(br_graph *graph, const char *format, ...)
{
    size_t room = sizeof graph->scope - graph->scope_length;
    va_list args;
    va_start(args, format);
    int length = vsnprintf(graph->scope + graph->scope_length, room, format, args);
    va_end(args);
    if (length < 0 || (size_t)length + 1 >= room) {
        graph->scope[graph->scope_length] = '\0';
        br_graph_fail(graph, BR_ERROR_ARGUMENT, "names nested deeper than %zu characters", sizeof graph->scope);
        return;
    }
    graph->scope_length += (size_t)length;
    graph->scope[graph->scope_length++] = '/';
    graph->scope[graph->scope_length] = '\0';
}

void br_graph_pop(br_graph *graph)
{
    if (!graph->scope_length)
        return;
    do
        graph->scope_length--;
    while (graph->scope_length && graph->scope[graph->scope_length - 1] != '/');
    graph->scope[graph->scope_length] = '\0';
}

static void out_of_memory(br_graph *graph)
{
    br_graph_fail(graph, BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory while building a graph of %d nodes", graph->node_count);
}

static br_value add_value(br_graph *graph, br_value_info info)
{
    if (graph->error)
        return BR_NONE;
    int64_t count = 1;
    for (int i = 0; i < info.shape.rank; i++) {
        if (info.shape.dim[i] < 1 || info.shape.dim[i] > VALUE_COUNT_MAX / count)
            return br_graph_fail(graph, BR_ERROR_ARGUMENT, "%s has shape %s, expected sizes of 1 or more and at most 2^34 elements",
                                 info.name, br_shape_format(info.shape).text);
        count *= info.shape.dim[i];
    }
    int64_t block = br_dtype_block(info.dtype);
    if (block > 1 && (info.kind != BR_VALUE_WEIGHT || info.shape.rank != 2 || info.shape.dim[1] % block))
        return br_graph_fail(graph, BR_ERROR_ARGUMENT, "%s is %s %s, which only weights [N, D] can be, D a multiple of %d",
                             info.name, br_dtype_name(info.dtype), br_shape_format(info.shape).text, (int)block);
    if (graph->value_count == graph->value_capacity) {
        int capacity = graph->value_capacity ? 2 * graph->value_capacity : 256;
        br_value_info *values = realloc(graph->values, (size_t)capacity * sizeof *values);
        if (!values) {
            out_of_memory(graph);
            return BR_NONE;
        }
        graph->values = values;
        graph->value_capacity = capacity;
    }
    graph->values[graph->value_count] = info;
    return graph->value_count++;
}

static const char *keep_name(br_graph *graph, bool scoped, const char *name)
{
    const char *kept = scoped ? br_arena_printf(&graph->arena, "%s%s", graph->scope, name) : br_arena_strdup(&graph->arena, name);
    if (!kept)
        out_of_memory(graph);
    return kept;
}

static br_value outside(br_graph *graph, br_value_kind kind, const char *name, br_dtype dtype, br_shape shape)
{
    const char *kept = keep_name(graph, true, name);
    return add_value(graph,
                     (br_value_info){.name = kept, .kind = kind, .dtype = dtype, .shape = shape, .producer = -1, .alias = BR_NONE});
}

br_value br_graph_input(br_graph *graph, const char *name, br_dtype dtype, br_shape shape)
{
    return outside(graph, BR_VALUE_INPUT, name, dtype, shape);
}

br_value br_graph_state(br_graph *graph, const char *name, br_dtype dtype, br_shape shape)
{
    return outside(graph, BR_VALUE_STATE, name, dtype, shape);
}

static br_value find_weight(const br_graph *graph, const char *name, br_dtype dtype, br_shape shape, br_weight_layout layout)
{
    for (br_value i = 0; i < graph->value_count; i++) {
        const br_value_info *info = &graph->values[i];
        if (info->kind == BR_VALUE_WEIGHT && strcmp(info->name, name) == 0 && info->dtype == dtype &&
            br_shape_equal(info->shape, shape) && info->layout == layout)
            return i;
    }
    return BR_NONE;
}

br_value br_graph_weight(br_graph *graph, const char *name, br_dtype dtype, br_shape shape, br_weight_layout layout)
{
    return br_graph_weight_stack(graph, &(br_weight_part){name, shape.dim[0]}, 1, dtype, shape, layout);
}

br_value br_graph_weight_stack(br_graph *graph, const br_weight_part *parts, int part_count, br_dtype dtype, br_shape shape,
                               br_weight_layout layout)
{
    if (graph->error)
        return BR_NONE;
    const char *name = parts[0].name;
    int64_t rows = parts[0].rows;
    for (int i = 1; i < part_count && name; i++) {
        name = br_arena_printf(&graph->arena, "%s + %s", name, parts[i].name);
        rows += parts[i].rows;
    }
    if (rows != shape.dim[0])
        return br_graph_fail(graph, BR_ERROR_ARGUMENT, "%s is %s, but its parts have %lld rows", name ? name : "?",
                             br_shape_format(shape).text, (long long)rows);
    br_value known = name ? find_weight(graph, name, dtype, shape, layout) : BR_NONE;
    if (known != BR_NONE)
        return known;
    const char *kept = name ? keep_name(graph, false, name) : NULL;
    br_weight_part *kept_parts = br_arena_alloc(&graph->arena, (size_t)part_count * sizeof *kept_parts);
    for (int i = 0; i < part_count && kept_parts && !graph->error; i++)
        kept_parts[i] = (br_weight_part){keep_name(graph, false, parts[i].name), parts[i].rows};
    if (!kept || !kept_parts)
        out_of_memory(graph);
    return add_value(graph, (br_value_info){.name = kept,
                                            .kind = BR_VALUE_WEIGHT,
                                            .dtype = dtype,
                                            .shape = shape,
                                            .producer = -1,
                                            .alias = BR_NONE,
                                            .layout = layout,
                                            .parts = kept_parts,
                                            .part_count = part_count});
}

br_value br_graph_view(br_graph *graph, br_value value, br_shape shape)
{
    if (value == BR_NONE || graph->error)
        return BR_NONE;
    br_value_info info = graph->values[value];
    if (br_shape_count(info.shape) != br_shape_count(shape))
        return br_graph_fail(graph, BR_ERROR_ARGUMENT, "%s %s cannot be viewed as %s", info.name, br_shape_format(info.shape).text,
                             br_shape_format(shape).text);
    info.alias = br_graph_root(graph, value);
    info.shape = shape;
    return add_value(graph, info);
}

void br_graph_output(br_graph *graph, br_value value, const char *name)
{
    if (value == BR_NONE || graph->error)
        return;
    br_value_info *root = &graph->values[br_graph_root(graph, value)];
    if (root->kind != BR_VALUE_TEMP) {
        br_graph_fail(graph, BR_ERROR_ARGUMENT, "%s cannot be an output: it is not made by a node", root->name);
        return;
    }
    root->kind = graph->values[value].kind = BR_VALUE_OUTPUT;
    graph->values[value].name = keep_name(graph, true, name);
    if (!graph->error)
        root->name = graph->values[value].name;
}

static bool grow_nodes(br_graph *graph)
{
    if (graph->node_count < graph->node_capacity)
        return true;
    int capacity = graph->node_capacity ? 2 * graph->node_capacity : 128;
    br_node *nodes = realloc(graph->nodes, (size_t)capacity * sizeof *nodes);
    if (!nodes) {
        out_of_memory(graph);
        return false;
    }
    graph->nodes = nodes;
    graph->node_capacity = capacity;
    return true;
}

br_value br_graph_node(br_graph *graph, const br_node_params *params)
{
    assert(params->input_count <= BR_NODE_INPUT_MAX && params->output_count >= 1 && params->output_count <= BR_NODE_OUTPUT_MAX);
    if (graph->error || !grow_nodes(graph))
        return BR_NONE;
    void *attrs = br_arena_alloc(&graph->arena, params->attrs_size ? params->attrs_size : 1);
    const char *name = keep_name(graph, true, params->name);
    if (!attrs)
        out_of_memory(graph);
    if (graph->error)
        return BR_NONE;
    if (params->attrs_size)
        memcpy(attrs, params->attrs, params->attrs_size);
    br_node node = {.op = params->op,
                    .name = name,
                    .input_count = params->input_count,
                    .output_count = params->output_count,
                    .attrs = attrs,
                    .in_place = params->in_place,
                    .in_place_lead = params->in_place_lead};
    memcpy(node.inputs, params->inputs, sizeof node.inputs);
    for (int i = 0; i < params->output_count; i++) {
        br_value state = params->outputs[i].state;
        node.outputs[i] = state != BR_NONE ? state
                                           : add_value(graph, (br_value_info){.name = name,
                                                                              .kind = BR_VALUE_TEMP,
                                                                              .dtype = params->outputs[i].dtype,
                                                                              .shape = params->outputs[i].shape,
                                                                              .producer = graph->node_count,
                                                                              .alias = BR_NONE});
        if (node.outputs[i] == BR_NONE)
            return BR_NONE;
    }
    graph->nodes[graph->node_count++] = node;
    return node.outputs[0];
}

br_status br_graph_add_output(br_graph *graph, int node, const char *name, br_dtype dtype, br_shape shape)
{
    br_node *owner = &graph->nodes[node];
    assert(owner->output_count < BR_NODE_OUTPUT_MAX);
    const char *kept = br_arena_printf(&graph->arena, "%s/%s", owner->name, name);
    br_value value = BR_NONE;
    if (kept)
        value = add_value(
            graph, (br_value_info){
                       .name = kept, .kind = BR_VALUE_TEMP, .dtype = dtype, .shape = shape, .producer = node, .alias = BR_NONE});
    if (value == BR_NONE)
        return br_fail(BR_ERROR_OUT_OF_HOST_MEMORY, "out of host memory for %s/%s", owner->name, name);
    owner->outputs[owner->output_count++] = value;
    return NULL;
}

static void remove_node(br_graph *graph, int index)
{
    br_node *node = &graph->nodes[index];
    graph->node_count--;
    memmove(node, node + 1, (size_t)(graph->node_count - index) * sizeof *node);
    for (br_value i = 0; i < graph->value_count; i++)
        if (graph->values[i].producer >= index)
            graph->values[i].producer--;
}

static void append_inputs(br_node *into, const br_node *from, int first_input)
{
    assert(into->input_count + from->input_count - first_input <= BR_NODE_INPUT_MAX);
    for (int i = first_input; i < from->input_count; i++)
        into->inputs[into->input_count++] = from->inputs[i];
}

void br_graph_merge_next(br_graph *graph, int node, int first_input)
{
    br_node *into = &graph->nodes[node], *next = into + 1;
    assert(node + 1 < graph->node_count && into->output_count + next->output_count <= BR_NODE_OUTPUT_MAX);
    append_inputs(into, next, first_input);
    for (int i = 0; i < next->output_count; i++)
        into->outputs[into->output_count++] = next->outputs[i];
    remove_node(graph, node + 1);
}

void br_graph_merge_previous(br_graph *graph, int node, int input)
{
    assert(node > 0 && node < graph->node_count);
    br_node *into = &graph->nodes[node], *previous = into - 1;
    for (br_value i = 0; i < graph->value_count; i++)
        if (graph->values[i].producer == node - 1)
            graph->values[i].producer = -1; /* views of it too */
    into->inputs[input] = previous->inputs[0];
    append_inputs(into, previous, 1);
    remove_node(graph, node - 1);
}

bool br_graph_reads_alone(const br_graph *graph, int node, br_value value)
{
    br_value root = br_graph_root(graph, value);
    if (graph->values[root].kind != BR_VALUE_TEMP)
        return false;
    int reads = 0;
    for (int n = 0; n < graph->node_count; n++)
        for (int i = 0; i < graph->nodes[n].input_count; i++) {
            br_value read = graph->nodes[n].inputs[i];
            if (read == BR_NONE || br_graph_root(graph, read) != root)
                continue;
            if (n != node)
                return false;
            reads++;
        }
    return reads == 1;
}

static br_status verify_node(const br_graph *graph, int index)
{
    const br_node *node = &graph->nodes[index];
    for (int i = 0; i < node->input_count; i++) {
        br_value input = node->inputs[i];
        if (input == BR_NONE)
            continue;
        if (input < 0 || input >= graph->value_count)
            return br_fail(BR_ERROR_ARGUMENT, "%s reads value %d of %d", node->name, input, graph->value_count);
        const br_value_info *root = &graph->values[br_graph_root(graph, input)];
        bool made = root->kind != BR_VALUE_TEMP && root->kind != BR_VALUE_OUTPUT;
        if (!made && root->producer >= index)
            return br_fail(BR_ERROR_ARGUMENT, "%s reads %s before it is made", node->name, root->name);
    }
    for (int i = 0; i < node->output_count; i++) {
        const br_value_info *info = &graph->values[node->outputs[i]];
        if (info->kind == BR_VALUE_INPUT || info->kind == BR_VALUE_WEIGHT)
            return br_fail(BR_ERROR_ARGUMENT, "%s writes %s, which comes from outside", node->name, info->name);
    }
    if (node->in_place >= node->input_count)
        return br_fail(BR_ERROR_ARGUMENT, "%s works in place on input %d of %d", node->name, node->in_place, node->input_count);
    return NULL;
}

br_status br_graph_verify(br_graph *graph)
{
    if (graph->error) {
        br_status error = graph->error;
        graph->error = NULL;
        return error;
    }
    for (int i = 0; i < graph->node_count; i++)
        BR_TRY(verify_node(graph, i));
    for (br_value i = 0; i < graph->value_count; i++) {
        const br_value_info *info = &graph->values[i];
        if (info->alias != BR_NONE && br_graph_bytes(graph, i) != br_graph_bytes(graph, info->alias))
            return br_fail(BR_ERROR_ARGUMENT, "%s is viewed in another size than it has", info->name);
    }
    return NULL;
}

const br_value_info *br_graph_value(const br_graph *graph, br_value value)
{
    assert(value >= 0 && value < graph->value_count);
    return &graph->values[value];
}

br_shape br_graph_shape(const br_graph *graph, br_value value)
{
    return br_graph_value(graph, value)->shape;
}

br_dtype br_graph_dtype(const br_graph *graph, br_value value)
{
    return br_graph_value(graph, value)->dtype;
}

br_value br_graph_root(const br_graph *graph, br_value value)
{
    while (br_graph_value(graph, value)->alias != BR_NONE)
        value = graph->values[value].alias;
    return value;
}

int64_t br_graph_bytes(const br_graph *graph, br_value value)
{
    const br_value_info *info = br_graph_value(graph, value);
    return br_shape_rows(info->shape) * br_dtype_row_bytes(info->dtype, br_shape_last(info->shape));
}

br_value br_graph_find(const br_graph *graph, const char *name)
{
    for (br_value i = 0; i < graph->value_count; i++)
        if (strcmp(graph->values[i].name, name) == 0)
            return i;
    return BR_NONE;
}
