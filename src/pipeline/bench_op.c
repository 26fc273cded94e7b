#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "pipeline/bench.h"

/* Keeps every product of sizes far from overflow; the graph refuses what is too large for a device. */
#define SIZE_MAX_EACH ((int64_t)1 << 24)
#define SIZE_COUNT_MAX 8

typedef struct bench_op {
    const char *name, *usage;
    int size_count;
    br_value (*build)(br_graph *graph, const int64_t *s, br_dtype dtype);
} bench_op;

static br_value input(br_graph *graph, const char *name, br_dtype dtype, br_shape shape)
{
    return br_graph_input(graph, name, dtype, shape);
}

static br_value vector(br_graph *graph, const char *name, int64_t size)
{
    return br_graph_weight(graph, name, BR_F32, br_shape_of(size), BR_WEIGHT_PLAIN);
}

static br_value build_linear(br_graph *graph, const int64_t *s, br_dtype dtype)
{
    return br_op_linear(graph, "linear",
                        &(br_linear_params){.x = input(graph, "x", dtype, br_shape_of(s[0], s[2])),
                                            .weight = br_graph_weight(graph, "w", dtype, br_shape_of(s[1], s[2]), BR_WEIGHT_PLAIN),
                                            .bias = vector(graph, "b", s[1]),
                                            .residual = BR_NONE});
}

static br_value build_conv2d(br_graph *graph, const int64_t *s, br_dtype dtype)
{
    int pad = (int)s[5] / 2;
    return br_op_conv2d(
        graph, "conv2d",
        &(br_conv2d_params){.x = input(graph, "x", dtype, br_shape_of(s[0], s[1], s[2], s[3])),
                            .weight = br_graph_weight(graph, "w", dtype, br_shape_of(s[4], s[5], s[5], s[3]), BR_WEIGHT_OHWI),
                            .bias = vector(graph, "b", s[4]),
                            .residual = BR_NONE,
                            .stride = (int)s[6],
                            .pad_top = pad,
                            .pad_left = pad,
                            .pad_bottom = pad,
                            .pad_right = pad});
}

static br_value build_attention(br_graph *graph, const int64_t *s, br_dtype dtype)
{
    return br_op_attention(graph, "attention",
                           &(br_attention_params){.q = input(graph, "q", dtype, br_shape_of(s[0], s[1], s[3] * s[4])),
                                                  .k = input(graph, "k", dtype, br_shape_of(s[0], s[2], s[3] * s[4])),
                                                  .v = input(graph, "v", dtype, br_shape_of(s[0], s[2], s[3] * s[4])),
                                                  .heads = (int)s[3]});
}

static br_value build_group_norm(br_graph *graph, const int64_t *s, br_dtype dtype)
{
    return br_op_group_norm(graph, "group_norm",
                            &(br_group_norm_params){.x = input(graph, "x", dtype, br_shape_of(s[0], s[1], s[2], s[3])),
                                                    .beside = BR_NONE,
                                                    .gamma = vector(graph, "gamma", s[3]),
                                                    .beta = vector(graph, "beta", s[3]),
                                                    .groups = (int)s[4],
                                                    .eps = 1e-5f,
                                                    .activation = BR_ACTIVATION_SILU});
}

static br_value build_layer_norm(br_graph *graph, const int64_t *s, br_dtype dtype)
{
    return br_op_layer_norm(graph, "layer_norm",
                            &(br_layer_norm_params){.x = input(graph, "x", dtype, br_shape_of(s[0], s[1])),
                                                    .gamma = vector(graph, "gamma", s[1]),
                                                    .beta = vector(graph, "beta", s[1]),
                                                    .eps = 1e-5f});
}

static br_value build_add(br_graph *graph, const int64_t *s, br_dtype dtype)
{
    return br_op_add(graph, "add", input(graph, "a", dtype, br_shape_of(s[0])), input(graph, "b", dtype, br_shape_of(s[0])));
}

static const bench_op bench_ops[] = {
    {"linear", "linear M,N,K", 3, build_linear},
    {"conv2d", "conv2d B,H,W,I,O,K,STRIDE", 7, build_conv2d},
    {"attention", "attention B,TQ,TK,HEADS,HEAD_WIDTH", 5, build_attention},
    {"group_norm", "group_norm B,H,W,C,GROUPS", 5, build_group_norm},
    {"layer_norm", "layer_norm ROWS,D", 2, build_layer_norm},
    {"add", "add COUNT", 1, build_add},
};
#define BENCH_OP_COUNT ((int)(sizeof bench_ops / sizeof bench_ops[0]))

const char *br_bench_usage(int index)
{
    return index >= 0 && index < BENCH_OP_COUNT ? bench_ops[index].usage : NULL;
}

static br_status find_op(const br_bench_op_request *request, const bench_op **out_op)
{
    char names[256] = "";
    for (int i = 0; i < BENCH_OP_COUNT; i++) {
        if (strcmp(request->op, bench_ops[i].name) == 0) {
            *out_op = &bench_ops[i];
            return NULL;
        }
        snprintf(names + strlen(names), sizeof names - strlen(names), "%s%s", i ? ", " : "", bench_ops[i].name);
    }
    return br_fail(BR_ERROR_ARGUMENT, "no op \"%s\" to measure, expected one of %s", request->op, names);
}

br_status br_bench_one_op(const br_bench_op_request *request, br_bench_result *out_result)
{
    *out_result = (br_bench_result){0};
    const bench_op *op;
    BR_TRY(find_op(request, &op));
    if (request->size_count != op->size_count)
        return br_fail(BR_ERROR_ARGUMENT, "%d sizes for %s, expected %s", request->size_count, op->name, op->usage);
    for (int i = 0; i < request->size_count; i++)
        if (request->sizes[i] < 1 || request->sizes[i] > SIZE_MAX_EACH)
            return br_fail(BR_ERROR_ARGUMENT, "size %d of %s is %" PRId64 ", expected 1 to %" PRId64, i + 1, op->name,
                           request->sizes[i], SIZE_MAX_EACH);
    br_graph graph;
    br_graph_init(&graph);
    br_graph_output(&graph, op->build(&graph, request->sizes, request->dtype), "y");
    BR_TRY(br_bench_graph(
        &(br_bench_graph_params){.device = request->device, .graph = &graph, .name = op->name, .runs = request->runs}, out_result));
    int used = snprintf(out_result->name, sizeof out_result->name, "%s ", op->name);
    for (int i = 0; i < request->size_count && used < (int)sizeof out_result->name; i++)
        used += snprintf(out_result->name + used, sizeof out_result->name - (size_t)used, "%s%" PRId64, i ? "," : "",
                         request->sizes[i]);
    snprintf(out_result->dtype, sizeof out_result->dtype, "%s", br_dtype_name(request->dtype));
    return NULL;
}

/* ---- the roof ---- */

/* Large enough to fill a GPU for milliseconds, small enough for a CPU driver to finish in seconds. */
#define ROOF_GEMM_CPU 1024
#define ROOF_GEMM_GPU 4096
/* Elements added to each other: twice 64 MiB in, 64 MiB out, past any cache but within every device's binding limit. */
#define ROOF_ADD_COUNT ((int64_t)16 << 20)

static br_status measure_gemm(br_vk_device *device, br_dtype dtype, int runs, double *out_flops)
{
    bool cpu = br_vk_device_caps(device)->type == VK_PHYSICAL_DEVICE_TYPE_CPU;
    int64_t side = cpu ? ROOF_GEMM_CPU : ROOF_GEMM_GPU;
    const int64_t sizes[] = {side, side, side};
    br_bench_result result;
    BR_TRY(br_bench_one_op(
        &(br_bench_op_request){.device = device, .op = "linear", .sizes = sizes, .size_count = 3, .dtype = dtype, .runs = runs},
        &result));
    *out_flops = result.flops / result.seconds_min;
    return NULL;
}

br_status br_bench_find_roof(br_vk_device *device, int runs, br_bench_roof *out_roof)
{
    *out_roof = (br_bench_roof){0};
    BR_TRY(measure_gemm(device, BR_F32, runs, &out_roof->gemm_f32_flops));
    if (br_vk_device_caps(device)->f16_storage)
        BR_TRY(measure_gemm(device, BR_F16, runs, &out_roof->gemm_f16_flops));
    const int64_t count = ROOF_ADD_COUNT;
    br_bench_result result;
    BR_TRY(br_bench_one_op(
        &(br_bench_op_request){.device = device, .op = "add", .sizes = &count, .size_count = 1, .dtype = BR_F32, .runs = runs},
        &result));
    out_roof->copy_bytes = result.bytes / result.seconds_min;
    return NULL;
}
