/* Times how the tensors of a safetensors file get onto the test device, laid out as a model asks for them: vectors as f32, matrices and kernels as f32 or,
 * with -h, f16; with -s by way of staging memory even where the host sees the device's.
 *
 *     bench_load [-h] [-s] FILE
 *
 * Prints the seconds from the mapping to the last byte on the device, and what the process held at most: of its own (the device's memory too, on a CPU device,
 * and again by itself, to be taken off) and of the file. How long reading the file takes is for `cat` to say. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "exec/bind.h"
#include "support/device.h"
#include "weights/safetensors.h"

static bool add_weights(br_graph *graph, const br_weights *weights, br_dtype matrices)
{
    for (int i = 0; i < br_weights_count(weights); i++) {
        const br_tensor_view *view = br_weights_at(weights, i);
        const int64_t *s = view->shape;
        if (view->rank == 4)
            br_graph_weight(graph, view->name, matrices, br_shape_of(s[0], s[2], s[3], s[1]), BR_WEIGHT_OHWI);
        else if (view->rank >= 1 && view->rank <= BR_RANK_MAX)
            br_graph_weight(graph, view->name, view->rank == 1 ? BR_F32 : matrices, br_shape_make(s, view->rank), BR_WEIGHT_PLAIN);
    }
    return !br_graph_failed(graph);
}

/* A line of Linux's /proc/self/status in MiB; 0 elsewhere. */
static long status_mib(const char *key)
{
    char line[256];
    long kib = 0;
    FILE *file = fopen("/proc/self/status", "r");
    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, key, strlen(key)) == 0)
            sscanf(line + strlen(key), ": %ld", &kib);
    if (file)
        fclose(file);
    return kib / 1024;
}

int main(int argc, char **argv)
{
    bool f16 = false, staging = false;
    int at = 1;
    for (; at < argc && argv[at][0] == '-'; at++) {
        f16 |= strcmp(argv[at], "-h") == 0;
        staging |= strcmp(argv[at], "-s") == 0;
    }
    if (at + 1 != argc) {
        fprintf(stderr, "usage: bench_load [-h] [-s] FILE\n");
        return 2;
    }
    br_test_device *device = br_test_device_open(&(br_vk_device_params){.force_staging = staging});
    br_weights *weights = NULL;
    br_bound_weights *bound = NULL;
    br_graph graph;
    br_graph_init(&graph);
    double began = br_clock_seconds();
    br_status status = br_safetensors_open(argv[at], &weights);
    if (!status && !add_weights(&graph, weights, f16 ? BR_F16 : BR_F32))
        status = br_graph_verify(&graph);
    if (!status)
        status = br_bound_weights_create(
            &(br_bind_params){.device = device->device, .graph = &graph, .weights = weights, .name = argv[at]}, &bound);
    if (status)
        fprintf(stderr, "bench_load: %s\n", br_status_message(status));
    else
        printf("%.3f s, %.0f MiB on the device; at most %ld MiB held, now %ld of the file and %ld others\n",
               br_clock_seconds() - began, (double)br_bound_weights_bytes(bound) / (1 << 20), status_mib("VmHWM"),
               status_mib("RssFile"), status_mib("RssAnon") + status_mib("RssShmem"));
    int code = status ? 1 : 0;
    br_status_free(status);
    br_bound_weights_destroy(bound);
    br_weights_destroy(weights);
    br_graph_finish(&graph);
    br_test_device_close(device);
    return code;
}
