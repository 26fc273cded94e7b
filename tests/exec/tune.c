/* What is measured is right, what is wrong is not chosen, and what was chosen is remembered for this device and driver only. */
#include "exec/tune.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "ops/gemm.h"
#include "support/case.h"
#include "support/scratch.h"
#include "vk/handles.h"

/* As a discrete GPU would be: on CPU devices nothing is measured. */
static br_status search(const br_test_device *test, br_tuning *result)
{
    br_vk_caps caps = *test->caps;
    caps.type = VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU;
    return br_tuning_search(&(br_tuning_params){.device = test->device, .caps = &caps, .seconds = 600, .divisor = 80}, result);
}

static void every_candidate_is_right(void **state)
{
    br_tuning result;
    assert_status_ok(search(*state, &result));
    assert_int_equal(result.count, BR_VK_TUNED_SHAPES * BR_VK_TUNED_TILES);
    for (int shape = 0; shape < BR_VK_TUNED_SHAPES; shape++) {
        int chosen = 0, defaults = 0;
        for (int i = 0; i < BR_VK_TUNED_TILES; i++) {
            const br_tuning_row *row = &result.rows[shape * BR_VK_TUNED_TILES + i];
            if (!row->right || !(row->gflops > 0))
                fail_msg("%s %s: error %g, %g GFLOP/s", row->shape, row->candidate, row->error, row->gflops);
            chosen += row->chosen ? i + 1 : 0;
            defaults += row->is_default;
        }
        assert_int_equal(result.tile[shape], chosen);
        assert_int_equal(defaults, 1);
    }
}

/* A driver that says it ran and computed nothing, as the device lab's stubs: nothing is right, so the device's class decides. */
static void VKAPI_PTR dispatch_nothing(VkCommandBuffer commands, uint32_t x, uint32_t y, uint32_t z)
{
    (void)commands, (void)x, (void)y, (void)z;
}

static void lying_driver(void **state)
{
    br_test_device *test = *state;
    br_tuning result;
    PFN_vkCmdDispatch real = test->device->fn.vkCmdDispatch;
    test->device->fn.vkCmdDispatch = dispatch_nothing;
    assert_status_ok(search(test, &result));
    test->device->fn.vkCmdDispatch = real;
    for (int i = 0; i < BR_VK_TUNED_SHAPES; i++)
        assert_int_equal(result.tile[i], 0);
    for (int i = 0; i < result.count; i++) {
        assert_false(result.rows[i].right);
        assert_true(result.rows[i].chosen == result.rows[i].is_default);
    }
}

static void picks(void **state)
{
    (void)state;
    br_tuning_row rows[3];
    const struct {
        double gflops[3];
        bool right[3];
        int usual, expected;
    } cases[] = {
        {{100, 104, 90}, {true, true, true}, 0, 0},   /* not faster by enough */
        {{100, 106, 90}, {true, true, true}, 0, 1},   /* faster */
        {{100, 130, 131}, {true, true, true}, 0, 2},  /* the fastest of two that are */
        {{100, 900, 130}, {true, false, true}, 0, 2}, /* faster, and wrong */
        {{100, 20, 30}, {false, true, true}, 0, 2},   /* the usual one is wrong */
        {{0, 0, 0}, {false, false, false}, 1, 1},     /* all are */
        {{100, NAN, 90}, {true, false, true}, 0, 0},  /* no number at all */
        {{50, 60, 100}, {true, true, true}, 2, 2},
    };
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        for (int i = 0; i < 3; i++)
            rows[i] = (br_tuning_row){.gflops = cases[c].gflops[i], .right = cases[c].right[i], .is_default = i == cases[c].usual};
        assert_int_equal(br_tuning_pick(rows, 3), cases[c].expected);
        for (int i = 0; i < 3; i++)
            assert_true(rows[i].chosen == (i == cases[c].expected));
    }
}

/* Ops take what was chosen, on devices where there is a choice. */
static void ops_follow(void **state)
{
    const br_test_device *test = *state;
    br_vk_caps caps = *test->caps;
    caps.type = VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU;
    const uint64_t m[BR_VK_TUNED_SHAPES] = {4096, 512, 128}, n[BR_VK_TUNED_SHAPES] = {640, 640, 320};
    const uint32_t rows[BR_VK_TUNED_TILES] = {128, 64, 32};
    for (int shape = 0; shape < BR_VK_TUNED_SHAPES; shape++)
        for (int tile = 0; tile < BR_VK_TUNED_TILES; tile++) {
            memset(caps.tuned_tile, 0, sizeof caps.tuned_tile);
            caps.tuned_tile[shape] = (uint8_t)(tile + 1);
            for (int other = 0; other < BR_VK_TUNED_SHAPES; other++)
                assert_int_equal(br_gemm_tile_m(br_gemm_tile_choose(&caps, m[other], n[other])),
                                 rows[other == shape ? tile : other]);
            assert_int_equal(br_gemm_tile_n(br_gemm_tile_choose(&caps, 4096, 4)), 8); /* narrow all the same */
        }
}

static br_vk_device *open_device(br_vk_instance *instance, const char *folder)
{
    br_vk_device *device = NULL;
    assert_status_ok(br_vk_device_create(&(br_vk_device_params){.instance = instance, .cache_dir = folder}, &device));
    return device;
}

static void remembered(void **state)
{
    br_test_device *test = *state;
    const uint8_t tile[BR_VK_TUNED_SHAPES] = {3, 1, 2};
    char folder[4096];
    snprintf(folder, sizeof folder, "%s", br_scratch_path("cache"));
    assert_status_ok(br_dir_create(folder));
    br_vk_device *device = open_device(test->instance, folder);
    assert_int_equal(br_vk_device_tuning(device), BR_VK_NOT_TUNED);
    assert_status_ok(br_vk_device_tune(device, tile));
    char *path = strdup(device->tuning_path);
    br_vk_device_destroy(device);
    char *data;
    size_t size;
    assert_status_ok(br_file_read(path, 4096, &data, &size));
    /* As it is; then with each byte altered, cut, lengthened. */
    for (size_t i = 0; i <= size + 2; i++) {
        char *copy = calloc(size + 1, 1);
        memcpy(copy, data, size);
        if (i > 0 && i <= size)
            copy[i - 1] ^= 1;
        assert_status_ok(br_file_write(path, copy, i == size + 1 ? size - 1 : i == size + 2 ? size + 1 : size));
        device = open_device(test->instance, folder);
        assert_int_equal(br_vk_device_tuning(device), i ? BR_VK_NOT_TUNED : BR_VK_TUNED);
        for (int j = 0; j < BR_VK_TUNED_SHAPES; j++)
            assert_int_equal(br_vk_device_caps(device)->tuned_tile[j], i ? 0 : tile[j]);
        br_vk_device_destroy(device);
        free(copy);
    }
    device = open_device(test->instance, folder);
    br_vk_device_forget_tuning(device);
    assert_false(br_file_exists(path));
    br_vk_device_destroy(device);
    device = open_device(test->instance, NULL);
    assert_int_equal(br_vk_device_tuning(device), BR_VK_TUNING_NOT_KEPT);
    assert_status_ok(br_vk_device_tune(device, tile));
    assert_int_equal(br_vk_device_tuning(device), BR_VK_TUNED);
    br_vk_device_destroy(device);
    free(path);
    free(data);
}

static int setup(void **state)
{
    return br_scratch_setup(state) || br_test_device_setup(state);
}

static int teardown(void **state)
{
    return br_test_device_teardown(state) | br_scratch_teardown(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_candidate_is_right),
        cmocka_unit_test(lying_driver),
        cmocka_unit_test(picks),
        cmocka_unit_test(ops_follow),
        cmocka_unit_test(remembered),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
