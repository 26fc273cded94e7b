/* Checkpoints of true size: each .safetensors, .gguf and .ckpt file of the folder BRUME_FULL_SIZE (tools/reference/full_size.py) is put on the device, in less than
 * twice the time that reading it takes and with no more host memory than HOST_BYTES. Skipped without that variable. */
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "pipeline/pipeline.h"
#include "support/device.h"
#include "support/test.h"

#define HOST_BYTES ((double)(300 << 20))
#define BLOCK ((size_t)8 << 20)

/* Memory of this process that no file backs, in bytes; 0 where the system does not say. On a CPU driver the device's is among it. */
static double anonymous(void)
{
    char line[256];
    double kilobytes = 0;
    FILE *file = fopen("/proc/self/status", "r");
    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, "RssAnon:", 8) == 0)
            kilobytes = strtod(line + 8, NULL);
    if (file)
        fclose(file);
    return kilobytes * 1024;
}

static double read_seconds(const char *path)
{
    char *block = malloc(BLOCK);
    FILE *file = fopen(path, "rb");
    assert_non_null(block);
    assert_non_null(file);
    int64_t begin = br_clock_ns();
    while (fread(block, 1, BLOCK, file) == BLOCK)
        continue;
    double seconds = (double)(br_clock_ns() - begin) * 1e-9;
    fclose(file);
    free(block);
    return seconds;
}

static void check_file(br_test_device *test, const char *path)
{
    static const br_log silent = {.write = NULL};
    br_model *model;
    br_pipeline *pipeline;
    double reading = read_seconds(path), before = anonymous();
    int64_t begin = br_clock_ns();
    assert_status_ok(br_model_load(&(br_checkpoint_params){.path = path}, &silent, &model));
    double opened = (double)(br_clock_ns() - begin) * 1e-9, host = anonymous() - before;
    assert_status_ok(br_pipeline_create(&(br_pipeline_params){.model = model, .device = test->device}, &pipeline));
    double loaded = (double)(br_clock_ns() - begin) * 1e-9;
    print_message("%s: read in %.2f s, opened in %.3f s with %.1f MiB, loaded in %.2f s (%.2f times) with %.0f MiB\n", path, reading,
                  opened, host / (1 << 20), loaded, loaded / reading, (anonymous() - before) / (1 << 20));
    br_pipeline_destroy(pipeline);
    br_model_unload(model);
    assert_true(host < HOST_BYTES);
}
