/* Times one op at one shape, for comparing variants of its shader in one run:
 *
 *     bench_ops [-r RUNS] [-h] [-g] [-i] [-w TYPE] linear M N K | conv2d B H W I O KERNEL | attention B TQ TK HEADS WIDTH
 *
 * One warm-up run, then RUNS (5) timed ones, submission and waiting included; prints the least and the middle time, the rate at the least, and
 * the rate by the process's CPU time, which on a CPU device is what other programs disturb least. -h: f16 storage. -g: the forms that a
 * discrete GPU gets, whatever the device is. -w: the type of linear's matrix (q8_0, q4_k, ...). -i: by integer
 * dot products, fast or not. The values are ordinary ones: NaN and subnormal numbers cost CPU devices time of their own. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "exec/replay.h"
#include "ops/op.h"
#include "support/device.h"

#define RUNS_MAX 1000
#define SHAPE_MAX 6

static br_value matrix(br_graph *graph, const char *name, br_dtype dtype, br_shape shape)
{
    return br_graph_input(graph, name, dtype, shape);
}

static bool build(br_graph *graph, const char *op, br_dtype dtype, br_dtype w_dtype, const int *n, int count)
{
    br_value y = BR_NONE;
    if (strcmp(op, "linear") == 0 && count == 3) {
        br_value x = matrix(graph, "x", dtype, br_shape_of(n[0], n[2]));
        br_value w = br_graph_weight(graph, "w", w_dtype, br_shape_of(n[1], n[2]), BR_WEIGHT_PLAIN);
        y = br_op_linear(graph, op, &(br_linear_params){.x = x, .weight = w, .bias = BR_NONE, .residual = BR_NONE});
    } else if (strcmp(op, "conv2d") == 0 && count == 6) {
        int pad = n[5] / 2;
        br_value x = matrix(graph, "x", dtype, br_shape_of(n[0], n[1], n[2], n[3]));
        br_value w = matrix(graph, "w", dtype, br_shape_of(n[4], n[5], n[5], n[3]));
        y = br_op_conv2d(graph, op, &(br_conv2d_params){x, w, BR_NONE, BR_NONE, 1, pad, pad, pad, pad});
    } else if (strcmp(op, "attention") == 0 && count == 5) {
        int width = n[3] * n[4];
        br_value q = matrix(graph, "q", dtype, br_shape_of(n[0], n[1], width)),
                 k = matrix(graph, "k", dtype, br_shape_of(n[0], n[2], width));
        br_value v = matrix(graph, "v", dtype, br_shape_of(n[0], n[2], width));
        y = br_op_attention(graph, op, &(br_attention_params){.q = q, .k = k, .v = v, .heads = n[3]});
    } else {
        return false;
    }
    br_graph_output(graph, y, "y");
    return true;
}

/* 0.5 everywhere: 0x3f000000 as f32, 0x3800 as f16. */
static br_status fill_half(void *user, void *dst, uint64_t at, uint64_t size)
{
    (void)at;
    br_dtype dtype = *(const br_dtype *)user;
    if (dtype == BR_F16)
        for (uint64_t i = 0; i < size / 2; i++)
            ((uint16_t *)dst)[i] = 0x3800;
    else
        for (uint64_t i = 0; i < size / 4; i++)
            ((float *)dst)[i] = 0.5f;
    return NULL;
}

static int compare(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

static br_status time_program(br_vk_device *device, const br_program *program, int runs)
{
    br_status status = NULL;
    br_value_binding bindings[8] = {0};
    br_vk_buffer *arena = NULL;
    br_replay *replay = NULL;
    double seconds[RUNS_MAX];
    int count = 0;

    BR_TRY(br_vk_buffer_create(device, BR_VK_BUFFER_DEVICE, (uint64_t)program->plan.arena_bytes + 256, "arena", &arena));
    for (br_value i = 0; i < program->graph->value_count; i++) {
        br_dtype dtype = br_graph_dtype(program->graph, i);
        uint64_t bytes = (uint64_t)br_graph_bytes(program->graph, i);
        br_value_binding *binding = &bindings[count++];
        binding->value = i;
        BR_TRY_GOTO(br_vk_buffer_create(device, BR_VK_BUFFER_DEVICE, bytes, "value", &binding->location.buffer));
        BR_TRY_GOTO(br_vk_upload_fill(device, &(br_vk_upload_params){binding->location.buffer, 0, bytes, fill_half, &dtype}));
    }
    br_replay_params params = {.device = device, .program = program, .arena = arena, .bindings = bindings, .binding_count = count};
    double began = br_clock_seconds();
    BR_TRY_GOTO(br_replay_create(&params, &replay));
    double built = br_clock_seconds() - began;
    BR_TRY_GOTO(br_replay_run(replay, NULL, NULL));
    clock_t cpu_began = clock();
    for (int i = 0; i < runs; i++) {
        began = br_clock_seconds();
        BR_TRY_GOTO(br_replay_run(replay, NULL, NULL));
        seconds[i] = br_clock_seconds() - began;
    }
    double cpu_seconds = (double)(clock() - cpu_began) / CLOCKS_PER_SEC, gflop = (double)program->flops * 1e-9;
    qsort(seconds, (size_t)runs, sizeof *seconds, compare);
    printf("%.3f GFLOP, %d dispatches, built in %.0f ms: %.3f ms least, %.3f ms middle, %.2f GFLOP/s, %.2f GFLOP a CPU second\n",
           gflop, program->dispatch_count, built * 1e3, seconds[0] * 1e3, seconds[runs / 2] * 1e3, gflop / seconds[0],
           gflop * runs / cpu_seconds);
fail:
    br_replay_destroy(replay);
    for (int i = 0; i < count; i++)
        br_vk_buffer_destroy(bindings[i].location.buffer);
    br_vk_buffer_destroy(arena);
    return status;
}

/* -1: none has this name. */
static int find_dtype(const char *name)
{
    for (int i = BR_F32; i <= BR_Q6_K; i++)
        if (strcmp(br_dtype_name((br_dtype)i), name) == 0)
            return i;
    return -1;
}

int main(int argc, char **argv)
{
    int runs = 5, at = 1, shape[SHAPE_MAX], count = 0;
    br_dtype dtype = BR_F32;
    int w_dtype = -1;
    bool gpu = false, integer_dot = false;
    for (; at < argc && argv[at][0] == '-'; at++) {
        if (strcmp(argv[at], "-h") == 0)
            dtype = BR_F16;
        else if (strcmp(argv[at], "-g") == 0)
            gpu = true;
        else if (strcmp(argv[at], "-i") == 0)
            integer_dot = true;
        else if (strcmp(argv[at], "-r") == 0 && at + 1 < argc)
            runs = atoi(argv[++at]);
        else if (strcmp(argv[at], "-w") == 0 && at + 1 < argc)
            w_dtype = find_dtype(argv[++at]);
    }
    const char *op = at < argc ? argv[at++] : "";
    for (; at < argc && count < SHAPE_MAX; at++)
        shape[count++] = atoi(argv[at]);
    br_graph graph;
    br_graph_init(&graph);
    if (runs < 1 || runs > RUNS_MAX || !build(&graph, op, dtype, w_dtype < 0 ? dtype : (br_dtype)w_dtype, shape, count)) {
        fprintf(stderr,
                "usage: bench_ops [-r RUNS] [-h] [-g] [-i] [-w TYPE] linear M N K | conv2d B H W I O KERNEL | attention B TQ TK "
                "HEADS WIDTH\n");
        return 2;
    }
    br_test_device *device = br_test_device_open(NULL);
    br_vk_caps caps = *device->caps;
    if (gpu)
        caps.type = VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU;
    caps.integer_dot_fast = integer_dot && caps.integer_dot;
    br_program *program = NULL;
    br_status status = br_program_create(&graph, "bench", &caps, &program);
    if (!status)
        status = time_program(device->device, program, runs);
    if (status)
        fprintf(stderr, "bench_ops: %s\n", br_status_message(status));
    int code = status ? 1 : 0;
    br_status_free(status);
    br_program_destroy(program);
    br_test_device_close(device);
    return code;
}
