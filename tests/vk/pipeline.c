/* Pipelines are built once, and their cache on disk is believed only when it is whole and from here. */
#include "vk/pipeline.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/f16.h"
#include "base/file.h"
#include "br_shaders.h"
#include "support/device.h"
#include "tests/saxpy.h"

static br_vk_pipeline_params params_of(float factor)
{
    const br_shader *shader = &br_shaders[BR_SHADER_TEST_SAXPY];
    return (br_vk_pipeline_params){
        .name = shader->name,
        .words = shader->words,
        .size = shader->size,
        .binding_count = 3,
        .push_size = sizeof(br_saxpy_push),
        .spec_count = 1,
        .spec = {br_f32_to_bits(factor)},
    };
}

static void built_once(void **state)
{
    br_test_device *test = *state;
    const br_vk_pipeline *first = NULL, *again = NULL, *other = NULL;
    br_vk_pipeline_params params = params_of(1);
    assert_status_ok(br_vk_device_pipeline(test->device, &params, &first));
    params.spec[7] = 99; /* beyond spec_count: means nothing */
    assert_status_ok(br_vk_device_pipeline(test->device, &params, &again));
    assert_ptr_equal(first, again);
    assert_int_equal(br_vk_device_counters(test->device)->pipelines, 1);
    params = params_of(2);
    assert_status_ok(br_vk_device_pipeline(test->device, &params, &other));
    assert_ptr_not_equal(first, other);
    params.binding_count = 4; /* one more than the shader uses */
    assert_status_ok(br_vk_device_pipeline(test->device, &params, &again));
    assert_ptr_not_equal(other, again);
    assert_int_equal(br_vk_device_counters(test->device)->pipelines, 3);
}

/* More than the table has buckets, so that some share one: each is found again. */
static void many_are_told_apart(void **state)
{
    enum { COUNT = 307 };
    br_test_device *test = *state;
    static const br_vk_pipeline *pipelines[COUNT];
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < COUNT; i++) {
            const br_vk_pipeline *pipeline = NULL;
            br_vk_pipeline_params params = params_of((float)i);
            assert_status_ok(br_vk_device_pipeline(test->device, &params, &pipeline));
            if (round == 1)
                assert_ptr_equal(pipeline, pipelines[i]);
            pipelines[i] = pipeline;
        }
    assert_int_equal(br_vk_device_counters(test->device)->pipelines, COUNT);
}

/* Pipelines that were announced are the ones that are asked for later, whether their building has begun or not; those that nobody asks for do not count and
 * go with the device. What is wrong with one is told by the call that asks for it, at each time. */
static void expected_ahead(void **state)
{
    enum { COUNT = 61, ASKED = 43 };
    br_test_device *test = *state;
    const br_vk_pipeline *pipeline = NULL, *again = NULL;
    for (int i = 0; i < COUNT; i++) {
        br_vk_pipeline_params params = params_of((float)i);
        br_vk_device_expect_pipeline(test->device, &params);
        br_vk_device_expect_pipeline(test->device, &params);
    }
    for (int i = ASKED - 1; i >= 0; i--) {
        br_vk_pipeline_params params = params_of((float)i);
        assert_status_ok(br_vk_device_pipeline(test->device, &params, &pipeline));
        assert_status_ok(br_vk_device_pipeline(test->device, &params, &again));
        assert_ptr_equal(pipeline, again);
    }
    assert_int_equal(br_vk_device_counters(test->device)->pipelines, ASKED);
    br_vk_pipeline_params wrong = params_of(1);
    wrong.binding_count = 9;
    br_vk_device_expect_pipeline(test->device, &wrong);
    for (int i = 0; i < 2; i++)
        assert_status(br_vk_device_pipeline(test->device, &wrong, &pipeline), BR_ERROR_UNSUPPORTED,
                      "shader test_saxpy: 9 storage buffers");
}

static void refused(void **state)
{
    br_test_device *test = *state;
    const br_vk_pipeline *pipeline = NULL;
    br_vk_pipeline_params params = params_of(1);
    params.binding_count = 9;
    assert_status(br_vk_device_pipeline(test->device, &params, &pipeline), BR_ERROR_UNSUPPORTED,
                  "shader test_saxpy: 9 storage buffers");
    params = params_of(1);
    params.push_size = 6;
    assert_status(br_vk_device_pipeline(test->device, &params, &pipeline), BR_ERROR_UNSUPPORTED,
                  "test_saxpy: 6 bytes of push constants");
    params.push_size = test->caps->max_push + 4;
    assert_status(br_vk_device_pipeline(test->device, &params, &pipeline), BR_ERROR_UNSUPPORTED, "bytes of push constants");
    params = params_of(1);
    params.spec_count = BR_VK_SPEC_MAX + 1;
    assert_status(br_vk_device_pipeline(test->device, &params, &pipeline), BR_ERROR_ARGUMENT,
                  "test_saxpy: 17 specialization constants");
    params = params_of(1);
    params.subgroup_size = test->caps->subgroup_max * 2;
    assert_status(br_vk_device_pipeline(test->device, &params, &pipeline), BR_ERROR_UNSUPPORTED, "subgroups of");
    assert_null(pipeline);
    assert_int_equal(br_vk_device_counters(test->device)->pipelines, 0);
    if (test->caps->subgroup_size_control && 64 % test->caps->subgroup_min == 0) {
        params.subgroup_size = test->caps->subgroup_min;
        assert_status_ok(br_vk_device_pipeline(test->device, &params, &pipeline));
    }
}

/* The one cache file of a folder. */
static void find_cache(const char *folder, char *out_path, size_t size)
{
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    out_path[0] = 0;
    for (struct dirent *entry; (entry = readdir(dir));)
        if (entry->d_name[0] != '.') {
            assert_int_equal(out_path[0], 0); /* no temporary file is left beside it */
            snprintf(out_path, size, "%s/%s", folder, entry->d_name);
        }
    closedir(dir);
}

typedef struct cache_log {
    char dropped[256]; /* the message about the cache, if there was one */
} cache_log;

static void listen(void *user, br_log_level level, const char *message)
{
    (void)level;
    if (strstr(message, "pipeline cache"))
        snprintf(((cache_log *)user)->dropped, sizeof((cache_log *)user)->dropped, "%s", message);
}

/* Opens a device with the cache, builds `count` pipelines, closes it; returns what was said about the cache. */
static cache_log use_cache(const char *folder, int count)
{
    cache_log said = {{0}};
    br_log log = {.write = listen, .user = &said, .level = BR_LOG_INFO};
    br_vk_instance *instance = NULL;
    br_vk_device *device = NULL;
    assert_status_ok(br_vk_instance_create(&(br_vk_instance_params){.log = &log}, &instance));
    br_vk_device_params params = {.instance = instance, .cache_dir = folder};
    assert_status_ok(br_vk_device_create(&params, &device));
    for (int i = 0; i < count; i++) {
        const br_vk_pipeline *pipeline = NULL;
        br_vk_pipeline_params pipeline_params = params_of((float)i);
        assert_status_ok(br_vk_device_pipeline(device, &pipeline_params, &pipeline));
    }
    br_vk_device_destroy(device);
    assert_int_equal(br_vk_instance_validation_errors(instance), 0);
    br_vk_instance_destroy(instance);
    return said;
}

/* What is done to the file, and the reason it is to be dropped for. */
typedef struct damage {
    long flip;   /* byte that is altered, from the end when negative; NONE */
    long length; /* that is kept; 0: all, -1: a byte is added */
    const char *reason;
} damage;

#define NONE 1000000000

static void cache_on_disk(void **state)
{
    (void)state;
    static const damage damages[] = {
        {0, 0, "another form"},
        {4, 0, "another form"},
        {8, 0, "another device or driver"},  /* vendor */
        {16, 0, "another device or driver"}, /* driver version */
        {30, 0, "another device or driver"}, /* pipelineCacheUUID */
        {50, 0, "another device or driver"}, /* driver UUID */
        {64, 0, "checksum"},
        {72 + 5, 0, "checksum"}, /* in the driver's own header */
        {-1, 0, "checksum"},
        {NONE, 1, "too short"},
        {NONE, 71, "too short"},
        {NONE, 103, "too short"},
        {NONE, -1, "length"},
    };
    char folder[] = "/tmp/brume-cache-XXXXXX", path[512];
    assert_non_null(mkdtemp(folder));
    assert_string_equal(use_cache(folder, 3).dropped, "");
    find_cache(folder, path, sizeof path);
    assert_true(path[0] != 0);
    char *data = NULL;
    size_t size = 0;
    assert_status_ok(br_file_read(path, (size_t)1 << 28, &data, &size));
    assert_true(size >= 104); /* the two headers; software drivers have nothing more */

    /* Accepted, and not written again when nothing came to it: a new file would have another number. */
    struct stat before, after;
    assert_int_equal(stat(path, &before), 0);
    assert_string_equal(use_cache(folder, 3).dropped, "");
    assert_int_equal(stat(path, &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    assert_int_equal(before.st_size, after.st_size);
    assert_int_equal(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);

    char *damaged = calloc(size + 1, 1);
    assert_non_null(damaged);
    for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
        const damage *d = &damages[i];
        memcpy(damaged, data, size);
        if (d->flip != NONE)
            damaged[d->flip < 0 ? (long)size + d->flip : d->flip] ^= 1;
        assert_status_ok(br_file_write(path, damaged, d->length < 0 ? size + 1 : d->length > 0 ? (size_t)d->length : size));
        cache_log said = use_cache(folder, 0);
        if (!strstr(said.dropped, "dropped") || !strstr(said.dropped, d->reason))
            fail_msg("damage %zu: \"%s\", expected \"%s\"", i, said.dropped, d->reason);
    }
    /* After the drop the file is written anew, and is good. */
    use_cache(folder, 3);
    assert_string_equal(use_cache(folder, 3).dropped, "");
    free(damaged);
    free(data);
    unlink(path);
    rmdir(folder);
}

static void cache_folder_missing(void **state)
{
    (void)state;
    cache_log said = use_cache("/nonexistent/brume", 2); /* the device works all the same */
    assert_non_null(strstr(said.dropped, "not saved"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(built_once, br_test_device_setup, br_test_device_teardown),
        cmocka_unit_test_setup_teardown(many_are_told_apart, br_test_device_setup, br_test_device_teardown),
        cmocka_unit_test_setup_teardown(expected_ahead, br_test_device_setup, br_test_device_teardown),
        cmocka_unit_test_setup_teardown(refused, br_test_device_setup, br_test_device_teardown),
        cmocka_unit_test(cache_on_disk),
        cmocka_unit_test(cache_folder_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
