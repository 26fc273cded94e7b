/* Checkpoints of true size: each .safetensors, .gguf and .ckpt file of the folder BRUME_FULL_SIZE (tools/reference/full_size.py) is put on the device, in less than
 * twice the time that reading it takes and with no more host memory than HOST_BYTES. Skipped without that variable. */
#include <dirent.h>
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
    double begin = br_clock_seconds();
    while (fread(block, 1, BLOCK, file) == BLOCK)
        continue;
    double seconds = br_clock_seconds() - begin;
    fclose(file);
    free(block);
    return seconds;
}

static double device_bytes(const br_pipeline *pipeline)
{
    double bytes =
        (double)br_bound_weights_bytes(pipeline->unet_weights) + (double)br_bound_weights_bytes(pipeline->decoder_weights);
    for (int i = 0; i < BR_MODEL_TEXT_MAX; i++)
        if (pipeline->text_weights[i])
            bytes += (double)br_bound_weights_bytes(pipeline->text_weights[i]);
    return bytes;
}

static void check_file(const br_test_device *test, const char *path)
{
    static const br_log silent = {.write = NULL};
    br_model *model;
    br_pipeline *pipeline;
    double reading = read_seconds(path), before = anonymous(), begin = br_clock_seconds();
    assert_status_ok(br_model_load(&(br_checkpoint_params){.path = path}, &silent, &model));
    double opened = br_clock_seconds() - begin;
    assert_status_ok(br_pipeline_open(test->device, model, BR_PRECISION_AUTO, &pipeline));
    double loaded = br_clock_seconds() - begin, weights = device_bytes(pipeline), grown = anonymous() - before;
    double host = test->caps->type == VK_PHYSICAL_DEVICE_TYPE_CPU ? grown - weights : grown;
    print_message(
        "%s: read in %.2f s, opened in %.3f s, loaded in %.2f s (%.2f times), %.0f MiB on the device, %.1f MiB beside them\n", path,
        reading, opened, loaded, loaded / reading, weights / (1 << 20), host / (1 << 20));
    br_pipeline_close(pipeline);
    br_model_unload(model);
    assert_true(host < HOST_BYTES);
    assert_true(loaded < 2 * reading);
}

static void test_each_file(void **state)
{
    const char *folder = getenv("BRUME_FULL_SIZE");
    const struct dirent *entry;
    char path[1024];
    int count = 0;
    DIR *files = opendir(folder);
    assert_non_null(files);
    while ((entry = readdir(files))) {
        const char *end = strrchr(entry->d_name, '.');
        if (!end || (strcmp(end, ".safetensors") != 0 && strcmp(end, ".gguf") != 0 && strcmp(end, ".ckpt") != 0))
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        check_file(*state, path);
        count++;
    }
    closedir(files);
    assert_true(count > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_each_file)};
    if (!getenv("BRUME_FULL_SIZE")) {
        print_message("skipped: BRUME_FULL_SIZE names no folder of checkpoints\n");
        return BR_TEST_SKIP;
    }
    return cmocka_run_group_tests(tests, br_test_device_setup, br_test_device_teardown);
}
